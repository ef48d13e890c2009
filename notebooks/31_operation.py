# %% [markdown]
# # In operation: what it would be to work with them
#
# **How often would a camera call for nothing, if it is to find {glue:text}`recall` of the anomalous frames?** {glue:text}`answer`

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set; its labels are enough, no frame is read
dataset_root = "_build/demo/data"  # its folder
upstream_dir = "_build/demo/results"  # folder of the other experiments' results
prevalence = 0.01  # share of anomalous frames that a real camera might have
recall = 0.8  # share of anomalous frames to be found, for the alarms
gap_s = 2.0  # seconds of silence between two alarms, or they are one
n_resamples = 1000  # of the bootstrap over clips
seed = 0  # of the bootstrap
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips that cannot be read, and name them, instead of stopping
results_dir = "_build/manual/31_operation"  # folder to write the results to

# %% tags=["remove-output"]
from vadlib.evaluation import AlarmRule
from vadlib.report import Chapter
from vadlib.report.study_tables import operation_table
from vadlib.report.words.studies import operation_sentence
from vadlib.studies.operation import control_scores, operating_costs

chapter = Chapter("31_operation", globals())
videos = chapter.open_dataset()
scored = chapter.detector_scores(chapter.detector_results())  # of the frames that all of them scored, a column each
fps = {clip.id: clip.fps for clip in videos.clips}

# %% [markdown]
# ## What it is worth at a camera
#
# AUROC does not depend on how rare anomalies are; whoever answers the alarms does. Average precision with this table's share of anomalous frames, and
# with {glue:text}`prevalence` of them; then how often a camera calls at the threshold that finds {glue:text}`recall` of the anomalous frames (alarming frames less than
# {glue:text}`gap_s` s apart are one alarm, which is raised again after {glue:text}`max_s` s). The number of alarms alone would praise one that never ends, so the time under false
# alarm stands before it, and two controls below: an alarm that is always on, and random scores. Hours are those of the whole test clips; what happens
# between two drawn frames is not seen, so on a draw the number of alarms is a lower bound. The {glue:text}`n_frames` frames are those of the detectors' own
# chapters.

# %%
asked = {"prevalence": prevalence, "recall": recall, "gap_s": gap_s}
controls = control_scores(len(scored), seed)
costs, of_controls = (
    operating_costs(scored.table.assign(**controls), names, videos.frame_table(), fps, **asked)
    for names in (scored.columns, controls)
)
operation_table(costs | of_controls, prevalence)

# %% tags=["remove-cell"]
chapter.say(
    max_s=f"{AlarmRule().max_seconds:g}",
    answer=operation_sentence(costs),
    prevalence=f"{prevalence:.0%}",
    recall=f"{recall:.0%}",
    n_frames=len(scored),
)
chapter.close(scored, operation=costs, controls=of_controls)

# %% [markdown]
# ## What this does not show
#
# A threshold that finds a given share of the anomalous frames can be set only by who knows which these are. How one is chosen from normal footage
# alone, and what it then keeps of its promise, is in [the chapter on footage](30_footage).
