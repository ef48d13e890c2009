# %% [markdown]
# # Grad-CAM + SSIM: what the paper calls SPADE
#
# **Does a classifier look elsewhere when something is wrong?** Comparing where it looks with where it usually looks
# gives a micro AUROC of **{glue:text}`micro_auroc`** (95 % interval over clips), which is {glue:text}`verdict`; the
# paper reports {glue:text}`paper_auroc` on ShanghaiTech Campus, and calls the method SPADE, which in the literature is
# [another one](05_spade).

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
classifier = "resnet18:bundled"  # network and weights: resnet18 or efficientnet_lite0 (paper: ResNet-18)
seed = 0  # of the draw, random weights and the bootstrap
image_size = 224  # pixels, height and width of the network's input
view = "whole"  # part of the frame that is read: whole, centre or inner (see vadlib.data.reading.views)
batch_size = 32  # frames
n_fit_frames = 100  # normal training frames for the reference maps (paper: 100)
n_test_normal: int | None = 600  # normal test frames; None for all (paper: 4,000)
n_test_abnormal: int | None = 600  # anomalous test frames; None for all (paper: 4,000)
reference = "dataset"  # reference maps: one for the data set, or one for each scene (paper: one)
n_localised = 120  # anomalous frames whose heatmaps are held against their masks
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
save_detector = True  # keep the fitted detector beside the results, for `vadlib score`
results_dir = "_build/manual/03_gradcam_ssim"  # folder to write the results to

# %% [markdown]
# ## How it works
#
# :::{margin}
# "Extract Grad-CAM visualizations from ResNet-18 layers 2–4", "average normal CAMs to establish baseline attention
# patterns", "SSIM between test CAMs and reference", "lower SSIM scores indicate higher anomaly likelihood" (section
# 3.2.2). Target class, window, and how the layers are combined, the paper does not say.
# :::
#
# Grad-CAM {cite}`selvaraju2017gradcam` weighs the channels $A^k$ of a layer by the mean gradient of the most likely
# class, $\alpha_k = \overline{\partial y / \partial A^k}$, and keeps what speaks for the class:
# $\max(0, \sum_k \alpha_k A^k)$, divided by its maximum. The mean map of {glue:text}`n_fitted` normal frames is the
# reference $R_l$ of layer $l$, and the score is {cite}`wang2004ssim`
#
# $$ s(x) = 1 - \tfrac{1}{3} \sum_{l=2}^{4} \mathrm{SSIM}\bigl(\mathrm{CAM}_l(x), R_l\bigr). $$

# %% tags=["remove-output"]
from vadlib.detectors import GradCamSsim
from vadlib.evaluation import share_explained
from vadlib.report import Chapter
from vadlib.studies.attention import draw_attention_steps, draw_normal_attention, shift_effect

chapter = Chapter("03_gradcam_ssim", globals())
videos = chapter.open_dataset()
split = chapter.draw("official-split", fit_normal=n_fit_frames)
network = chapter.open_network(classifier)
detector = GradCamSsim(network, seed, device, reference=reference)
scored = chapter.fit_and_score(detector, split)  # scored.table: clip, frame, label, scene, ssim
located = scored.localise(n_localised)

# %% [markdown]
# ## What it compares
#
# {numref}`fig-gradcam-ssim-cams` shows each step for the anomalous frame with the highest score, and
# {numref}`fig-gradcam-ssim-heatmaps` the surest hits, the worst misses and the loudest false alarms.

# %%
chapter.figure(
    "cams",
    draw_attention_steps(detector, videos, scored.extremes(label=1, highest=True, n=1), chapter.read),
    "Grad-CAM of one anomalous frame, the reference of normal frames, and their local SSIM, for each layer (Figure 2 "
    "of the paper). The overlay and its reference share one scale.",
    alt="Maps: columns are the layers, rows the activation map over the frame, its reference and their similarity",
)

# %%
chapter.figure(
    "heatmaps",
    scored.draw_heatmaps(),
    "Dissimilarity (1 - local SSIM, mean of the layers), one scale for all. Outline: the ground truth, where known.",
    alt="Frames with the dissimilarity map over them: hits, misses and false alarms",
)

# %% [markdown]
# ## How well it separates
#
# {numref}`fig-gradcam-ssim-densities` is the other half of the paper's Figure 5; the two densities share
# {glue:text}`overlap` of their area. The curve of {numref}`fig-gradcam-ssim-roc` is not in the paper.

# %%
chapter.figure(
    "roc",
    scored.draw_roc(),
    "ROC curve of Grad-CAM + SSIM, with the 95 % band from resampling clips.",
    alt="ROC curve of Grad-CAM + SSIM with its band, beside the diagonal of chance",
)

# %%
chapter.figure(
    "densities",
    scored.draw_densities("1 - mean SSIM"),
    "Kernel density estimates of the scores of Grad-CAM + SSIM (Figure 5 of the paper), normal and anomalous frames.",
    alt="Two overlapping density curves of scores for normal and anomalous frames",
)

# %%
scored.merits(names={"ssim": "mean of the layers"})

# %% [markdown]
# ## Why it comes out like this
#
# The paper names three causes: no motion, small shifts, and attention that varies between normal scenes. The last two
# can be measured. {numref}`fig-gradcam-ssim-cam-spread` shows how much normal maps differ from their own mean: the
# standard deviation of a pixel, averaged over the map, is {glue:text}`cam_spread` on a scale from 0 to 1. Shifting a normal frame by {glue:text}`shift_px` pixels, which changes nothing that matters, moves its score by
# {glue:text}`shift_effect` standard deviations of normal frames' scores, on average. And {glue:text}`scene_share` of
# the variance of normal scores lies between scenes: that part says where the camera is, not what happens there.

# %%
chapter.figure(
    "cam_spread",
    draw_normal_attention(detector),
    "Mean and standard deviation of the maps of normal frames, for each layer: what the reference leaves out.",
    alt="Maps: columns are the layers, rows the mean and the standard deviation of normal activation maps",
)

# %% [markdown]
# ## What it sees and what it misses

# %%
scored.show_kinds()

# %% tags=["remove-cell"]
shift = max(1, image_size // 56)  # pixels, to the right: a quarter of the stride of the first map
moved = shift_effect(detector, chapter.read, scored.table, shift)
normal = scored.table[scored.table["label"] == 0]
between = share_explained(normal["ssim"], normal["scene"])
spread = float((detector.reference_variance**0.5).mean())
chapter.say(cam_spread=f"{spread:.2f}", shift_px=shift, shift_effect=f"{moved:.2f}", scene_share=f"{between:.0%}")
more = {"cam_spread": spread, "shift_px": shift, "shift_effect": moved, "scene_share": between}
chapter.close(scored, localisation=located, **more)

# %% [markdown]
# ## What this shows
#
# - Grad-CAM + SSIM is {glue:text}`verdict` here, best at {glue:text}`best_kind` and worst at {glue:text}`worst_kind`.
# - In the frames with a ground-truth mask, the most dissimilar pixel lies inside the mask in a share of
#   {glue:text}`pointing` of them; a pixel picked blindly would in {glue:text}`pointing_chance`.
#
# ## What this does not show
#
# Only one target class (the most likely), one window and one way of averaging the layers have been tried here.
