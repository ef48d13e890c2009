# %% [markdown]
# # PaDiM: a Gaussian for every patch
#
# **Does a frame whose patches are far from what their place usually looks like hold an anomaly?** With the
# {glue:text}`score_name` of its heatmap as the frame's score, PaDiM {cite}`defard2021padim` reaches a micro AUROC of
# **{glue:text}`micro_auroc`** (95 % interval over clips), which is {glue:text}`verdict`; the paper reports
# {glue:text}`paper_auroc` on ShanghaiTech Campus.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18:bundled"  # network and weights: resnet18 or efficientnet_lite0, then imagenet, bundled, random
seed = 0  # of the draw, the projection, random weights and the bootstrap
image_size = 224  # pixels, height and width of the network's input
view = "whole"  # part of the frame that is read: whole, centre or inner (see vadlib.data.reading.views)
batch_size = 32  # frames
n_fit_frames = 600  # normal training frames (paper: 2,000)
n_test_normal: int | None = 600  # normal test frames; None for all (paper: 4,000)
n_test_abnormal: int | None = 600  # anomalous test frames; None for all (paper: 4,000)
n_components = 300  # dimensions kept of 448 (paper: 300)
epsilon = 0.01  # on the covariances' diagonals
blur_sigma = 4.0  # pixels, of the heatmap's blur
frame_score = "max"  # of the heatmap: max, mean or top1% (paper: not said)
n_localised = 120  # anomalous frames whose heatmaps are held against their masks
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
save_detector = True  # keep the fitted detector beside the results, for `vadlib score`
results_dir = "_build/manual/02_padim"  # folder to write the results to

# %% [markdown]
# ## How it works
#
# :::{margin}
# "Features compressed to 300 dimensions using random projection" and "multivariate Gaussian distributions computed
# per spatial location" (section 3.1.2). Which frame score follows from the heatmap, the paper does not say.
# :::
#
# The first three layers of the network (the paper's is ResNet-18) describe every patch of the frame by
# {glue:text}`n_channels` numbers, which a random projection brings to {glue:text}`n_components`. Over normal frames,
# each position $p$ gets a mean $\mu_p$ and a covariance $\Sigma_p$; a new frame's patch $x_p$ is as anomalous as its
# Mahalanobis distance
#
# $$ d_p(x) = \sqrt{(x_p - \mu_p)^\top (\Sigma_p + \varepsilon I)^{-1} (x_p - \mu_p)}. $$
#
# The distances, brought to the frame's size and blurred, are the heatmap; its {glue:text}`score_name` is the frame's
# score.

# %% tags=["remove-output"]
from vadlib.detectors import Padim
from vadlib.report import Chapter
from vadlib.report.words.common import difference_sentence

chapter = Chapter("02_padim", globals())
videos = chapter.open_dataset()
split = chapter.draw("official-split", fit_normal=n_fit_frames)
network = chapter.open_network(backbone)
detector = Padim(network, n_components, seed, device, epsilon=epsilon, sigma=blur_sigma, frame_score=frame_score)
scored = chapter.fit_and_score(detector, split)  # scored.table: clip, frame, label, scene, max, mean, top1%
mean_minus_max = scored.difference("mean", "max")
located = scored.localise(n_localised)

# %% [markdown]
# ## Where it looks
#
# The paper's Figure 1 shows one heatmap. {numref}`fig-padim-heatmaps` shows the frames on which the detector is most
# and least right: the anomalous frames that score highest (hits), the anomalous frames that score lowest (misses), and
# the normal frames that score highest (false alarms), at most one a clip of each.

# %%
chapter.figure(
    "heatmaps",
    scored.draw_heatmaps(),
    "PaDiM's heatmaps (Figure 1 of the paper), one colour scale for all: the surest hits, the worst misses, the "
    "loudest false alarms. Outline: the ground truth, where there is one.",
    alt="Frames with PaDiM's heatmap over them: hits, misses and false alarms",
)

# %% [markdown]
# ## How well it separates
#
# {numref}`fig-padim-roc` is the paper's Figure 4 (a), with the band that the paper lacks: clips are resampled, since
# frames of one clip are not independent. {numref}`fig-padim-densities` is its half of Figure 5; the two densities
# share {glue:text}`overlap` of their area.

# %%
chapter.figure(
    "roc",
    scored.draw_roc(),
    "ROC curve of PaDiM (Figure 4 a of the paper), with the 95 % band from resampling clips.",
    alt="ROC curve of PaDiM with its band, beside the diagonal of chance",
)

# %%
chapter.figure(
    "densities",
    scored.draw_densities(f"frame score: {frame_score} of the heatmap"),
    "Kernel density estimates of PaDiM's frame scores (Figure 5 of the paper), normal and anomalous frames.",
    alt="Two overlapping density curves of PaDiM's scores for normal and anomalous frames",
)

# %% [markdown]
# ## The frame score, which the paper leaves open
#
# A heatmap has {glue:text}`n_pixels` values and a frame one score. All three readings of the same heatmaps, of the same
# frames, are in the table. On the same resamples of the clips, the AUROC of the mean minus that of the maximum is
# {glue:text}`mean_minus_max`: {glue:text}`mean_verdict`.

# %%
scored.merits(names={name: f"{name} of the heatmap" for name in scored.columns})

# %% [markdown]
# ## What it sees and what it misses
#
# Each kind of event against all normal frames; clips instead of kinds where the data set names none.

# %%
scored.show_kinds()

# %% tags=["remove-cell"]
chapter.say(
    n_channels=sum(network.channels[layer] for layer in detector.layers),
    n_pixels=image_size**2,
    mean_minus_max=f"{mean_minus_max:+.3f}",
    mean_verdict=difference_sentence("the mean", "the maximum", mean_minus_max),
)
chapter.close(scored, mean_minus_max=mean_minus_max, localisation=located)

# %% [markdown]
# ## What this shows
#
# - With the maximum as the frame's score the AUROC is {glue:text}`auroc_max`, with the mean of the same heatmaps
#   {glue:text}`auroc_mean`: {glue:text}`mean_verdict`.
# - It is best at {glue:text}`best_kind` and worst at {glue:text}`worst_kind`.
# - In the frames with a ground-truth mask, the hottest pixel lies inside the mask in a share of {glue:text}`pointing`
#   of them; a pixel picked blindly would in {glue:text}`pointing_chance`.
# - Fitting took {glue:text}`fit_time` and scoring {glue:text}`milliseconds` ms a frame, decoding included.
#
# ## What this does not show
#
# The detector looks at one frame at a time, so whatever is wrong only in how something *moves* is out of its reach by
# construction; where it scores such frames high, it does so for another reason, such as where people stand.
