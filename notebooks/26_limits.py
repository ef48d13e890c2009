# %% [markdown]
# # Limitations, measured
#
# **Which of the limitations that the paper names are there, and how large are they?** Its section 5 blames the loss of
# motion, the light, the variety of scenes, and the cost of computing; it measures none of them. On this build's data,
# the AUROC for anomalies of appearance minus that for anomalies of motion alone is: {glue:text}`motion`.

# %% tags=["parameters"]
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
upstream_dir = "_build/demo/results"  # folder of the other experiments' results
n_resamples = 1000  # of the bootstrap over clips
seed = 0  # of the bootstrap
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
results_dir = "_build/manual/26_limits"  # folder to write the results to

# %% tags=["remove-output"]
from vadlib.data import FrameReader
from vadlib.detectors import catalogue
from vadlib.figures import interval_rows, score_by_factor
from vadlib.report import Chapter, load_paper_values
from vadlib.report.study_tables import visibility_rows
from vadlib.report.tables import whole_workload
from vadlib.studies.limits import auroc_by_visibility, auroc_pooled_and_by_scene, brightness_of_frames, influences

chapter = Chapter("26_limits", globals())
videos = chapter.open_dataset()
results = chapter.detector_results()
scored = chapter.detector_scores(results)
scores, detectors = scored.table.copy(), scored.columns

# %% [markdown]
# ## Motion (section 5.1 of the paper)
#
# "The conversion from video sequences to static frames fundamentally eliminated temporal dynamics." If so, what is
# anomalous by its motion alone must be harder than what looks unusual in a single frame. {numref}`fig-limits-motion`
# splits the anomalous frames by that, where the data set says what each event is.

# %%
by_visibility = auroc_by_visibility(scores, detectors, videos.events, n_resamples=n_resamples, seed=seed)
chapter.figure(
    "motion",
    interval_rows(visibility_rows(by_visibility)),
    "AUROC of each detector for anomalies of appearance and for anomalies of motion alone, each against all normal "
    "frames; all anomalous frames together where the data set does not name its events. Lines: 95 % intervals over clips.",
    alt="Dots with intervals: AUROC of each detector for anomalies of appearance and of motion",
)

# %% [markdown]
# ## Light (section 5.3)
#
# "Variable lighting conditions." Scores of *normal* frames should not depend on how bright the frame is. The table gives
# the rank correlation of a normal frame's score with its mean brightness, within scenes (0: none; 1 or -1: the score is
# the brightness).

# %% tags=["remove-output"]
reader = FrameReader(videos, scores, (60, 80), 64, skip_unreadable=skip_unreadable, description="brightness")
scores["brightness"] = brightness_of_frames(reader)
normal = scores[(scores["label"] == 0) & scores["brightness"].notna()]

# %%
factors = influences(normal, detectors)
factors.style.format("{:.2f}")

# %% [markdown]
# ## Scenes (section 5.3)
#
# "Diverse scene layouts." One threshold serves all cameras only if normal frames score alike in all of them. The second
# and third columns of the table say how much of the variance of normal scores is the scene's, and the clip's.
# {numref}`fig-limits-scenes` shows the scores themselves; the AUROC with all frames pooled, beside the mean of the
# scenes' own AUROCs, says what pooling costs: {glue:text}`scene_cost`.

# %%
chapter.figure(
    "scenes",
    score_by_factor({name: (normal[name], normal["scene"], catalogue.entry(name).colour) for name in detectors}),
    "Scores of normal frames in each scene, in standard deviations from the mean of all normal frames. Boxes: quartiles; "
    "whiskers: 5 % and 95 %.",
    alt="Box plots of normal scores by scene, a panel a detector",
)

# %%
scenes = auroc_pooled_and_by_scene(scores, detectors)
scenes.style.format("{:.3f}")

# %% [markdown]
# ## The bill (section 5.2)
#
# "Substantial GPU resources, with training and inference times extending to several hours." The paper's whole workload
# is the frames of its Table 1. At the rates of this run, on {glue:text}`device`, it takes
# {glue:text}`workload_minutes` minutes in all, decoding included.

# %%
workload = whole_workload(results, load_paper_values())
workload.style.format({"minutes": "{:.1f}", "a frame, ms": "{:.0f}"})

# %% tags=["remove-cell"]
gaps = {
    name: found.loc["appearance", "estimate"] - found.loc["motion", "estimate"]
    for name, found in by_visibility.items()
    if {"appearance", "motion"} <= set(found.index)
}
minutes = float(workload["minutes"].sum())
chapter.say(
    motion="; ".join(f"{name} {gap:+.3f}" for name, gap in gaps.items()) or "not measured, for events are not named",
    scene_cost="; ".join(
        f"{name} {row['all frames pooled']:.3f} pooled, {row['mean of the scenes']:.3f} by scene"
        for name, row in scenes.dropna().iterrows()
    )
    or "not measured, no scene has both classes",
    workload_minutes=f"{minutes:.0f}",
    device=next(iter(results.values())).run["device"],
)
chapter.close(
    by_group=by_visibility,
    appearance_minus_motion=gaps,
    factors=factors,
    scenes=scenes,
    workload_minutes=minutes,
)

# %% [markdown]
# ## What this does not show
#
# The prototypes see labelled anomalies of the kinds that they are tested on, of both sorts; the others do not.
# "Subjective anomaly definitions" (section 5.3) would take a second opinion on the labels, which these data sets do not
# hold.
