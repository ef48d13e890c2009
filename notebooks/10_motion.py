# %% [markdown]
# # Motion: two lines of arithmetic
#
# **Does a frame hold an anomaly because something in it moves?** The paper's detectors see one frame at a time. What changed since the frame before takes
# two lines of OpenCV and no training, and reaches a micro AUROC of **{glue:text}`micro_auroc`** (95 % interval over clips), which is {glue:text}`verdict`;
# the speed of dense optical flow reaches {glue:text}`auroc_flow`. PaDiM, on the same frames, has {glue:text}`padim_auroc`: {glue:text}`padim_verdict`.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
upstream_dir = "_build/demo/results"  # folder of the other chapters' results
seed = 0  # of the draw and the bootstrap
image_size = 224  # pixels, height and width that frames are brought to
batch_size = 32  # frames
n_test_normal: int | None = 600  # normal test frames; None for all
n_test_abnormal: int | None = 600  # anomalous test frames; None for all
sigma = 4.0  # pixels that the map of what moved is blurred by: what PaDiM's heatmap is
n_localised = 30  # anomalous frames whose heatmaps are held against their masks
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
save_detector = True  # keep the detector beside the results, for `vadlib score`
results_dir = "_build/manual/10_motion"  # folder to write the results to

# %% [markdown]
# ## How it works
#
# A frame at time $t$ has the map $|I_t - I_{t-1}|$, the mean over the three colours, or $\lVert v_t \rVert$, the length of
# the optical flow {cite}`kroeger2016dis` from the frame before. The map is blurred by {glue:text}`sigma` pixels, as
# PaDiM's is, and its maximum is the frame's score. Nothing is fitted, so nothing can be tuned on normal footage either;
# a clip's first frame scores 0.

# %% tags=["remove-output"]
from vadlib.detectors import FrameDifference
from vadlib.report import Chapter
from vadlib.report.words.common import difference_sentence, interval_of
from vadlib.studies import motion

SIGMAS = (0.0, 2.0, 8.0, 12.0)  # tried beside the one that was chosen beforehand

chapter = Chapter("10_motion", globals())
videos = chapter.open_dataset()
tested = chapter.draw("official-split", fit_normal=0).test
detector = FrameDifference(seed, device, sigma=sigma)
with chapter.stage("fit"):
    detector.fit()
reader = chapter.read(tested, "scoring", fresh=True, inputs=detector.reads)
with chapter.stage("score"):
    columns = detector.score_columns(reader)
with chapter.stage("other blurs, and flow"):
    columns |= motion.blurred_maxima(chapter.read(tested, "flow", inputs=detector.reads), SIGMAS, sigma)
scored = chapter.scores(tested, columns, detector=detector, skipped=reader.skipped)
padim = chapter.upstream("02_padim")
minus_padim = scored.difference_to(padim)
located = scored.localise(n_localised)

# %% [markdown]
# ## Where it looks
#
# {numref}`fig-motion-heatmaps` shows the frames on which it is most and least right, at most one a clip of each sort.

# %%
chapter.figure(
    "heatmaps",
    scored.draw_heatmaps(),
    "What changed since the frame before, one colour scale for all: the surest hits, the worst misses, the loudest "
    "false alarms. Outline: the ground truth, where there is one.",
    alt="Frames with the map of what changed over them: hits, misses and false alarms",
)

# %% [markdown]
# ## How well it separates
#
# {numref}`fig-motion-roc` has both kinds of motion with their bands.

# %%
chapter.figure(
    "roc",
    scored.draw_roc(motion.COLUMNS),
    "ROC curves of frame difference and of optical flow, with 95 % bands from resampling clips.",
    alt="ROC curves of frame difference and optical flow with bands, beside the diagonal of chance",
)

# %%
chapter.figure(
    "densities",
    scored.draw_densities("largest change since the frame before (grey levels)"),
    "Kernel density estimates of the frame difference's scores, normal and anomalous frames.",
    alt="Two overlapping density curves of the frame difference's scores",
)

# %% [markdown]
# The blur was chosen before anything was scored. The other rows are a sweep: their best is chosen by the labels of
# these very frames, and is no result.

# %%
scored.merits(names={"max": f"Frame difference, sigma {sigma:g}", "flow": f"Optical flow, sigma {sigma:g}"})

# %% [markdown]
# ## What it sees and what it misses

# %%
scored.show_kinds()

# %% tags=["remove-cell"]
chapter.say(
    padim_auroc=f"{interval_of(padim.metrics['micro_auroc_interval']):.2f}",
    padim_verdict=difference_sentence("Frame difference", "PaDiM", minus_padim),
)
chapter.close(scored, detectors=motion.COLUMNS, minus_padim=minus_padim, localisation=located)

# %% [markdown]
# ## What this shows
#
# - Frame difference is {glue:text}`verdict` here, at {glue:text}`micro_auroc`; {glue:text}`padim_verdict`.
# - It is best at {glue:text}`best_kind` and worst at {glue:text}`worst_kind`.
# - In the frames with a ground-truth mask, the pixel that changed most lies inside the mask in a share of
#   {glue:text}`pointing` of them; a pixel picked blindly would in {glue:text}`pointing_chance`.
#
# ## What this does not show
#
# Whoever comes near the camera moves more pixels than who is far from it, and clips differ in how fast people usually
# move: nothing here knows what is usual at a place. A camera that shakes, or light that changes, moves everything.
