# %% [markdown]
# # SPADE: the nearest normal frames
#
# **Is a frame strange when no normal frame is like it?** SPADE {cite}`cohen2020spade` is the method of the paper's
# reference [4]. The paper gives its name to [Grad-CAM + SSIM](03_gradcam_ssim), which has nothing of it, and reports
# no number of it. Here it reaches a micro AUROC of **{glue:text}`micro_auroc`** (95 % interval over clips), which is
# {glue:text}`verdict`; {glue:text}`spade_verdict`.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
upstream_dir = "_build/demo/results"  # folder of the other chapters' results
backbone = "resnet18:bundled"  # network and weights: resnet18 or efficientnet_lite0, then imagenet, bundled, random
seed = 0  # of the draw, random weights and the bootstrap
image_size = 224  # pixels, height and width of the network's input
view = "whole"  # part of the frame that is read: whole, centre or inner (see vadlib.data.reading.views)
batch_size = 32  # frames
n_fit_frames = 600  # normal training frames, which are kept
n_test_normal: int | None = 600  # normal test frames; None for all
n_test_abnormal: int | None = 600  # anomalous test frames; None for all
n_neighbours = 50  # that the frame's score averages (its authors: 50)
n_localised = 30  # anomalous frames whose heatmaps are held against their masks
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
save_detector = False  # keep the fitted detector beside the results, for `vadlib score`; it holds the frames themselves
results_dir = "_build/manual/05_spade"  # folder to write the results to

# %% [markdown]
# ## How it works
#
# The network brings a frame to one vector, the mean of its last layer over all positions. The frame's score is the
# mean distance of that vector to those of its {glue:text}`n_neighbours` nearest normal frames, out of
# {glue:text}`n_fitted`. The heatmap asks the same of every position: how far its features are from those of the most
# similar position, wherever that is, in the few frames that are nearest.

# %% tags=["remove-output"]
from vadlib.detectors import SpadeKnn
from vadlib.report import Chapter
from vadlib.report.words.common import difference_sentence

chapter = Chapter("05_spade", globals())
videos = chapter.open_dataset()
split = chapter.draw("official-split", fit_normal=n_fit_frames)
network = chapter.open_network(backbone)
detector = SpadeKnn(network, n_neighbours, seed, device)
scored = chapter.fit_and_score(detector, split)  # scored.table: clip, frame, label, scene, knn
spade_minus_ssim = scored.difference_to(chapter.upstream("03_gradcam_ssim"))
located = scored.localise(n_localised)

# %% [markdown]
# ## Where it looks
#
# {numref}`fig-spade-heatmaps` shows the frames on which it is most and least right, at most one a clip of each sort.

# %%
chapter.figure(
    "heatmaps",
    scored.draw_heatmaps(),
    "SPADE's heatmaps, one colour scale for all: the surest hits, the worst misses, the loudest false alarms. Outline: "
    "the ground truth, where there is one.",
    alt="Frames with SPADE's heatmap over them: hits, misses and false alarms",
)

# %% [markdown]
# ## How well it separates
#
# {numref}`fig-spade-roc` has the band that comes from resampling clips. The densities of
# {numref}`fig-spade-densities` share {glue:text}`overlap` of their area.

# %%
chapter.figure(
    "roc",
    scored.draw_roc(),
    "ROC curve of SPADE, with the 95 % band from resampling clips.",
    alt="ROC curve of SPADE with its band, beside the diagonal of chance",
)

# %%
chapter.figure(
    "densities",
    scored.draw_densities("mean distance to the nearest normal frames"),
    "Kernel density estimates of SPADE's frame scores, normal and anomalous frames.",
    alt="Two overlapping density curves of SPADE's scores for normal and anomalous frames",
)

# %%
scored.merits(names={"knn": "SPADE (nearest neighbours)"})

# %% [markdown]
# ## What it sees and what it misses

# %%
scored.show_kinds()

# %% tags=["remove-cell"]
chapter.say(spade_verdict=difference_sentence("SPADE", "Grad-CAM + SSIM", spade_minus_ssim))
chapter.close(scored, spade_minus_ssim=spade_minus_ssim, localisation=located)

# %% [markdown]
# ## What this shows
#
# - SPADE is {glue:text}`verdict` here, at {glue:text}`micro_auroc`; {glue:text}`spade_verdict`.
# - It is best at {glue:text}`best_kind` and worst at {glue:text}`worst_kind`.
# - In the frames with a ground-truth mask, the hottest pixel lies inside the mask in a share of
#   {glue:text}`pointing` of them; a pixel picked blindly would in {glue:text}`pointing_chance`.
#
# ## What this does not show
#
# It keeps every normal frame and searches all of them for each frame that it scores: what that costs for years of
# footage is not measured here.
