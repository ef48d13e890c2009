# %% [markdown]
# # What the labels alone give
#
# **What AUROC does a score have that never looks at a picture?** On the labels of {glue:text}`n_test_clips` test clips, being near the middle of
# the clip is worth {glue:text}`middle_auroc`; {glue:text}`answer`. An AUROC says something about pictures only where it is above what its
# protocol lets such scores have.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set; its labels are enough, no frame is read
dataset_root = "_build/demo/data"  # its folder
seed = 0  # of the draws and the bootstrap
protocols = ["official-split", "reused-frames", "same-clips", "disjoint-clips", "disjoint-scenes"]  # by which to draw
n_fit_frames = 600  # normal training frames to fit on, under official-split (paper: 2,000)
n_fit_labelled = 300  # frames of each class to fit on, under the other protocols (paper: 2,000)
n_test_normal: int | None = 600  # normal test frames; None for all (paper: 4,000)
n_test_abnormal: int | None = 600  # anomalous test frames; None for all (paper: 4,000)
n_folds = 5  # of the cross-fitted protocols
n_resamples = 1000  # of the bootstrap over clips
n_simulated = 100  # data sets in each design of the coverage simulation (1,000 or more for a figure to be quoted)
n_shuffles = 50  # of the scenes over the clips, to see what the scenes' rates give when scenes say nothing
simulated_aurocs = [0.6, 0.8]  # true AUROCs of the simulated scores
simulated_clips = [None, 12]  # clips in a simulated data set; None: as many as there are test clips
shown_clip: str | None = None  # clip in the first figure; None: one of typical length
allow_missing = False  # keep to the clips that have pictures, as other chapters do; by default labels alone will do
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
results_dir = "_build/manual/22_labels_alone"  # folder to write the results to

# %% tags=["remove-output"]
from vadlib.evaluation import auroc, blind_scores, coverage_study, leakage_report, shuffled_scene_rates
from vadlib.figures import BLIND, interval_rows, protocol_timelines
from vadlib.report import Chapter, stated_aurocs
from vadlib.report.study_tables import blind_table, coverage_table, leakage_table
from vadlib.report.tables import rows_of_intervals, stated_lines
from vadlib.report.words import protocols as words
from vadlib.studies.draws import frames_of_clip, typical_clip
from vadlib.studies.protocol_audit import blind_columns

chapter = Chapter("22_labels_alone", globals())
videos = chapter.open_dataset(labels_alone=True)
table = videos.frame_table()
test_frames, fps = table[table["split"] == "test"], {clip.id: clip.fps for clip in videos.clips}
stated = stated_aurocs()
draws = chapter.draw_protocols(fit_official=n_fit_frames, fit_each=n_fit_labelled)

# %% [markdown]
# ## Where a detector's frames come from
#
# The same test frames under every protocol; what differs is where the frames come from that a detector is fitted on. With `official-split` they are
# normal frames of training videos. Anomalous frames exist in test videos only, so whoever fits on some takes them from there: from the tested frames
# themselves (`reused-frames`), from the tested clips (`same-clips`), from other clips (`disjoint-clips`), or from other cameras (`disjoint-scenes`).
# The last two are cross-fitted: each clip is scored by a detector that was fitted without it. The paper does not say which of them it did.
# {glue:text}`draw_note`

# %%
clip = shown_clip or typical_clip(draws.tested, table)
lanes = {name: frames_of_clip(split, clip) for name, split in draws.splits.items()}
notes = {name: f"{len(fit)} fitted, {len(test)} tested" for name, (fit, test) in lanes.items()}
chapter.figure(
    "timelines",
    protocol_timelines(lanes, videos.labels[clip], fps[clip], title=f"clip {clip}", notes=notes),
    "One test clip under each protocol. Above each line: the frames of this clip that the detector is fitted on, in the "
    "colour of their label. Below: the frames that it is tested on. Shaded: labelled anomalous.",
    alt="One line a protocol along a clip, with ticks for fitted frames and for tested frames",
)

# %% [markdown]
# ## How near is near
#
# Frames less than a second apart are all but the same picture. Where a detector was fitted on one and is tested on the other, remembering is enough.

# %%
leakage = {name: leakage_report(split, fps) for name, split in draws.splits.items()}
leakage_table(leakage, draws.splits)

# %% [markdown]
# ## Scores that look at no picture
#
# Each is made of labels and positions alone. The oracles use the labels that they are judged by, so nobody could use them, but a network that knows
# the camera by its background can come near the scene's. Position and length need no label. The label of the nearest fit frame is what a protocol
# gives away: it is the score of a detector that does nothing but recognise the pictures nearest in time. Where no frame of the clip was fitted on, it
# falls back to the rate of anomalies among the fit frames of the scene, and then among all. For position, middle and length a value below 0.5 is
# worth as much as one as far above it. A rate that leaves the tested clip out is another matter: leaving it out pushes the value below 0.5 where
# scenes say nothing. With the scenes dealt out to the clips at random it averages {glue:text}`shuffled_scenes`, and the oracle, which leaves nothing
# out, {glue:text}`shuffled_oracle`: these two are what the scenes' rates have to be held against.

# %%
columns, titles = blind_columns(table, draws)
scored = chapter.scores(draws.tested, columns, main="middle")
shuffled = shuffled_scene_rates(test_frames, n=n_shuffles, seed=seed)
on_all_frames = {name: auroc(test_frames["label"], values) for name, values in blind_scores(table, test_frames).items()}
chapter.figure(
    "blind",
    interval_rows(rows_of_intervals(scored.intervals, BLIND, names=titles), references=stated_lines(stated)),
    "AUROC of scores that look at no picture, with 95 % intervals over clips, on the test frames that all protocols "
    "share. Coloured lines: what the paper reports for its detectors, on ShanghaiTech Campus.",
    alt="Dots with intervals: AUROC of blind baselines, beside lines for the paper's three values",
)

# %%
blind_table(scored, titles, on_all_frames, stated)

# %% [markdown]
# ## What the paper's values are worth by these
#
# {glue:text}`comparable` A stated value that a blind score is above, or cannot be told apart from, needs no sight to explain it.
#
# - **{glue:text}`padim_stated`, the paper's PaDiM.** Knowing the camera, and nothing else, is worth {glue:text}`scene_auroc` where the rates come
#   from the other clips of the scene ({glue:text}`scene_standing`), and {glue:text}`scene_oracle_auroc` where from all ({glue:text}`scene_oracle_standing`).
# - **{glue:text}`gradcam_stated`, its Grad-CAM + SSIM.** How far the clip has gone on is worth {glue:text}`position_auroc` ({glue:text}`position_standing`).
# - **{glue:text}`clip_stated`, its CLIP prototypes**, which are fitted on labelled frames of test clips. Being near the middle of the clip is worth
#   {glue:text}`middle_auroc` ({glue:text}`middle_standing`). {glue:text}`memory_sentence`

# %% [markdown]
# ## Does the interval hold what it says?
#
# The intervals of this report resample clips. Whether 95 % of them hold the truth can be checked where the truth is known: scores are made up, with
# an effect for each clip, each scene and each moment, on clips that have these labels, and every method computes its interval from each of
# {glue:text}`n_simulated` such data sets. DeLong's takes frames as independent; the percentile interval reads the resamples as they are; `expanded`
# widens it for few clips, `bca` corrects its bias, and `studentized`, which the report uses, measures each resample by its own standard error. A
# share found from {glue:text}`n_simulated` data sets is itself uncertain by about {glue:text}`monte_carlo`. Over all designs,
# the 95 % interval holds the truth in these shares of the data sets: {glue:text}`coverage`.

# %%
with chapter.stage("simulate"):
    options = {"n_data_sets": n_simulated, "n_resamples": n_resamples, "seed": seed, "progress": False}
    simulated = coverage_study(test_frames, n_clips=simulated_clips, aurocs=simulated_aurocs, **options)
coverage_table(simulated)

# %% tags=["remove-cell"]
coverage = simulated.groupby("method")["coverage"].agg(["min", "max"])
chapter.say(
    **words.labels_alone_sentences(scored.intervals, draws, shuffled, stated, dataset),
    n_test_clips=test_frames["clip"].nunique(),
    monte_carlo=f"{simulated['standard_error'].median():.1%}",
    coverage="; ".join(f"{row['min']:.1%} to {row['max']:.1%} ({name})" for name, row in coverage.iterrows()),
)
more = {"leakage": leakage, "shuffled_scenes": shuffled, "all_frames": on_all_frames, "draws": draws.changed}
chapter.close(scored, **more, n_test_frames=len(test_frames), coverage=simulated.to_dict("records"))

# %% [markdown]
# ## What this does not show
#
# Whether a detector *did* use the scene, the clock or its memory: only that its AUROC alone does not rule it out. Which of them a detector's scores
# follow is a question to its scores, and the protocol is the way to ask: what is left under `disjoint-clips`, and more so under `disjoint-scenes`,
# cannot be memory of the clip.
