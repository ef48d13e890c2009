# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Grad-CAM + SSIM: what the paper calls SPADE
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **Does a classifier look elsewhere when something is wrong?** Comparing where it looks with where it usually looks gives a
# micro AUROC of **{glue:text}`micro_auroc`** (95 % interval over clips), which is {glue:text}`verdict`; the paper
# reports {glue:text}`paper_auroc` on ShanghaiTech Campus. SPADE proper, the method of the paper's reference [4]
# {cite}`cohen2020spade`, reaches **{glue:text}`spade_auroc`** on the same frames: {glue:text}`spade_verdict`.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
classifier = "resnet18"  # network with a classifier: resnet18 or efficientnet_lite0 (paper: ResNet-18)
weights = "bundled"  # of the report's networks: imagenet, bundled, random, or a file
classifier_weights: str | None = None  # of the classifier; None: the same as weights
seed = 0  # of the draw, random weights and the bootstrap
image_size = 224  # pixels, height and width of the network's input
batch_size = 32  # frames
n_fit_frames_gradcam = 100  # normal training frames for the reference maps (paper: 100)
n_fit_frames = 600  # normal training frames for SPADE (the paper has none)
n_neighbours = 50  # of SPADE's frame score (its authors: 50)
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

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from myst_nb import glue

from vadlib import networks
from vadlib.data import FrameReader, draw, open_dataset, read_frame
from vadlib.detectors import GradCamSsim, SpadeKnn
from vadlib.evaluation import (
    auroc_by_group,
    bootstrap_auroc,
    bootstrap_difference,
    bootstrap_roc_band,
    event_of_frames,
    extreme_frames,
    overlap_coefficient,
    share_explained,
    summarize,
)
from vadlib.figures import DETECTOR_COLOURS, densities, heatmap_sheet, interval_rows, map_grid, roc, use_house_style
from vadlib.report import Experiment, load_paper_values, project_path
from vadlib.report.tables import localise, table_of_merit
from vadlib.report.words.common import (
    against_chance,
    chapter_line,
    data_note,
    difference_in_words,
    interval_or_none,
    network_name,
)

use_house_style()
run = Experiment.from_notebook("03_gradcam_ssim", globals())

# %% [markdown]
# ## How it works
#
# :::{margin}
# "Extract Grad-CAM visualizations from ResNet-18 layers 2–4", "average normal CAMs to establish baseline attention
# patterns", "SSIM between test CAMs and reference", "lower SSIM scores indicate higher anomaly likelihood" (section
# 3.2.2). Target class, window, and how the layers are combined, the paper does not say.
# :::
#
# Grad-CAM {cite}`selvaraju2017gradcam` weighs the channels $A^k$ of a layer by the mean gradient of the most likely class,
# $\alpha_k = \overline{\partial y / \partial A^k}$, and keeps what speaks for the class: $\max(0, \sum_k \alpha_k A^k)$,
# divided by its maximum. The mean map of {glue:text}`n_references` normal frames is the reference $R_l$ of layer $l$, and
#
# $$ s(x) = 1 - \tfrac{1}{3} \sum_{l=2}^{4} \mathrm{SSIM}\bigl(\mathrm{CAM}_l(x), R_l\bigr) $$
#
# is the score {cite}`wang2004ssim`. The name is unfortunate: in the literature, SPADE is a nearest-neighbour method that has no
# gradients and no SSIM. It is here as well: a frame's score is the mean distance of its pooled features to those of
# its {glue:text}`n_neighbours` nearest normal frames.

# %% tags=["hide-input", "remove-output"]
videos = open_dataset(
    dataset, project_path(dataset_root), allow_missing=allow_missing, skip_unreadable=skip_unreadable
).with_pictures()
table = videos.frame_table()
drawing = {"fit_abnormal": 0, "test_normal": n_test_normal, "test_abnormal": n_test_abnormal, "seed": seed}
split = draw(table, "official-split", fit_normal=n_fit_frames_gradcam, **drawing)
spade_split = draw(table, "official-split", fit_normal=n_fit_frames, **drawing)
size = (image_size, image_size)
reading = {"size": size, "batch_size": batch_size, "skip_unreadable": skip_unreadable}
network = getattr(networks, classifier)(classifier_weights or weights, seed=seed)
detector = GradCamSsim(network, seed, device, reference=reference)
spade = SpadeKnn(network, n_neighbours, seed, device)
run.record(dataset=videos, weights=network.record.as_dict(), precision=network.precision)
with run.stage("fit"):
    fit_reader = FrameReader(videos, split.fit, description="reference maps", **reading)
    detector.fit(fit_reader)
with run.stage("fit SPADE"):
    spade_reader = FrameReader(videos, spade_split.fit, description="fitting SPADE", **reading)
    spade.fit(spade_reader)
n_fitted = len(split.fit) - len(fit_reader.skipped)
run.record(skipped_in_fit=len(fit_reader.skipped) + len(spade_reader.skipped))

# %% tags=["hide-input", "remove-output"]
reader = FrameReader(videos, split.test, description="scoring", **reading)
with run.stage("score"):
    columns = detector.score_columns(reader)
spade_reader = FrameReader(videos, split.test, description="scoring SPADE", **reading)
with run.stage("score SPADE"):
    columns["knn"] = spade.score(spade_reader)
scores = run.scores(split.test, columns, skipped=reader.skipped)
resampling = {"clusters": scores["clip"], "n_resamples": n_resamples, "seed": seed}
intervals = {name: bootstrap_auroc(scores["label"], scores[name], **resampling) for name in columns}
summaries = {name: summarize(scores, name) for name in columns}
main = intervals["ssim"]
spade_minus_ssim = bootstrap_difference(scores["label"], scores["knn"], scores["ssim"], **resampling)

# %% [markdown]
# ## What it compares
#
# {numref}`fig-cams` takes the anomalous frame with the highest score and shows each step: where the classifier looks, where it
# usually looks, and how alike the two are. {numref}`fig-gradcam-examples` shows the surest hits, the worst misses and the
# loudest false alarms.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-cams", "caption": "Grad-CAM of one anomalous frame, the reference of normal frames, and their local SSIM, for each layer (Figure 2 of the paper). The overlay and its reference share one scale."}, "image": {"alt": "Grid of maps: columns are the layers, rows the activation map over the frame, its reference and their similarity"}}
chosen = extreme_frames(scores, "ssim", label=1, highest=True, n=1)
batch = next(iter(FrameReader(videos, chosen, size, 1, progress=False)))
shown_frame = read_frame(videos, chosen["clip"].iloc[0], int(chosen["frame"].iloc[0]))
steps = detector.steps(batch.images, scenes=chosen["scene"])
cam_figure = map_grid(
    {"this frame": steps.cams[:, 0], "reference": steps.references[:, 0], "SSIM": steps.similarity[:, 0]},
    detector.layers,
    limits={"this frame": (0, 1), "reference": (0, 1), "SSIM": (-1, 1)},
    labels={"this frame": "activation", "reference": "activation", "SSIM": "similarity"},
    backgrounds={"this frame": shown_frame},
)
run.figure("cams", cam_figure, caption="Grad-CAM, reference and SSIM of one frame (Figure 2 of the paper).")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-gradcam-examples", "caption": "Dissimilarity (1 - local SSIM, mean of the layers), one scale for all. Outline: the ground truth, where there is one."}, "image": {"alt": "Frames with the dissimilarity map over them: hits, misses and false alarms"}}
examples = pd.concat(
    [
        extreme_frames(scores, "ssim", label=1, highest=True, n=3).assign(what="hit"),
        extreme_frames(scores, "ssim", label=1, highest=False, n=3).assign(what="miss"),
        extreme_frames(scores, "ssim", label=0, highest=True, n=3).assign(what="false alarm"),
    ]
).drop_duplicates(["clip", "frame"], ignore_index=True)
batch = next(iter(FrameReader(videos, examples, size, len(examples), progress=False)))
heatmap_figure = heatmap_sheet(
    [read_frame(videos, row.clip, row.frame) for row in examples.itertuples()],
    detector.heatmap(batch.images, scenes=examples["scene"].to_numpy()[batch.rows])[np.argsort(batch.rows)],
    [f"{row.what}: {row.clip}, frame {row.frame}" for row in examples.itertuples()],
    masks=[videos.pixel_mask(row.clip, row.frame) for row in examples.itertuples()],
    label="1 - SSIM",
)
run.figure("heatmaps", heatmap_figure, caption="Dissimilarity maps of hits, misses and false alarms.")

# %% [markdown]
# ## How well it separates
#
# {numref}`fig-density-gradcam` is the other half of the paper's Figure 5; the two densities share
# {glue:text}`overlap` of their area.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-roc-gradcam", "caption": "ROC curves of Grad-CAM + SSIM and of SPADE proper, with their 95 % bands from resampling clips. The paper shows neither."}, "image": {"alt": "Two ROC curves with bands, beside the diagonal of chance"}}
bands = {name: bootstrap_roc_band(scores["label"], scores[name], **resampling) for name in ("ssim", "knn")}
roc_figure = roc(
    {
        "Grad-CAM + SSIM": (bands["ssim"], main, DETECTOR_COLOURS["Grad-CAM + SSIM"]),
        "SPADE": (bands["knn"], intervals["knn"], DETECTOR_COLOURS["SPADE"]),
    }
)
run.figure("roc", roc_figure, caption="ROC curves of Grad-CAM + SSIM and SPADE, with 95 % bands over clips.")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-density-gradcam", "caption": "Kernel density estimates of the frame scores of Grad-CAM + SSIM (Figure 5 of the paper), normal and anomalous frames."}, "image": {"alt": "Two overlapping density curves of scores for normal and anomalous frames"}}
density_figure = densities(scores["label"].to_numpy(), scores["ssim"].to_numpy(), xlabel="1 - mean SSIM")
run.figure("densities", density_figure, caption="Densities of the scores of Grad-CAM + SSIM (Figure 5 of the paper).")

# %% tags=["hide-input"]
table_of_merit(intervals, summaries, names={"ssim": "mean of the layers", "knn": "SPADE (nearest neighbours)"})

# %% [markdown]
# ## Why it comes out like this
#
# The paper names three causes: no motion, small shifts, and attention that varies between normal scenes. The last two can be
# measured. {numref}`fig-cam-spread` shows how much normal maps differ from their own mean: between normal frames the standard
# deviation of a pixel, averaged over the map, is {glue:text}`cam_spread` on a scale from 0 to 1. Shifting a normal frame by
# {glue:text}`shift_px` pixels, which changes nothing that matters, moves its score by {glue:text}`shift_effect` standard
# deviations of the scores of normal frames, on average. And {glue:text}`scene_share` of the variance of normal scores
# lies between scenes: that part says where the camera is, not what happens there.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-cam-spread", "caption": "Mean and standard deviation of the activation maps of normal frames, for each layer: what the reference leaves out."}, "image": {"alt": "Grid of maps: columns are the layers, rows the mean and the standard deviation of normal activation maps"}}
spread = np.sqrt(detector.reference_variance)
spread_figure = map_grid(
    {"mean": detector.references["all"], "standard deviation": spread},
    detector.layers,
    limits={"mean": (0, 1), "standard deviation": (0, float(spread.max()))},
    labels={"mean": "activation", "standard deviation": "activation"},
)
run.figure("cam_spread", spread_figure, caption="Mean and standard deviation of normal activation maps.")

# %% tags=["hide-input", "remove-output"]
normal = scores[scores["label"] == 0]
shift = max(1, image_size // 56)  # pixels: a quarter of the stride of the first map, to the right
probe = normal.iloc[:: max(1, len(normal) // 64)].head(64)
unmoved, moved = [], []
for batch in FrameReader(videos, probe, size, batch_size, progress=False):
    scenes = probe["scene"].to_numpy()[batch.rows]
    unmoved.append(detector.score_batch(batch.images, scenes=scenes)["ssim"].cpu())
    moved.append(detector.score_batch(batch.images.roll(shift, dims=3), scenes=scenes)["ssim"].cpu())
shift_effect = float(np.abs(np.concatenate(moved) - np.concatenate(unmoved)).mean() / normal["ssim"].std())
scene_share = share_explained(normal["ssim"], normal["scene"])

# %% [markdown]
# ## What it sees and what it misses

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-kinds-gradcam", "caption": "AUROC of Grad-CAM + SSIM for the anomalous frames of each kind of event, or of each clip, against all normal frames. Lines: 95 % intervals over clips; a dot alone comes from a single clip, which has none."}, "image": {"alt": "Dots with intervals: AUROC by kind of event"}}
kinds = event_of_frames(scores, videos.events) if len(videos.events) else scores["clip"].to_numpy()
by_kind = auroc_by_group(scores, "ssim", kinds, n_resamples=n_resamples, seed=seed)
by_kind["colour"] = DETECTOR_COLOURS["Grad-CAM + SSIM"]
by_kind["note"] = [f"{row.n_frames} frames, {row.n_clips} clip(s)" for row in by_kind.itertuples()]
kinds_figure = interval_rows(by_kind)
run.figure("kinds", kinds_figure, caption="AUROC of Grad-CAM + SSIM by kind of event, or by clip.")

# %% tags=["hide-input", "remove-output"]
with run.stage("localise"):
    located = {
        "ssim": localise(detector, videos, scores, n=n_localised, seed=seed, **reading),
        "knn": localise(spade, videos, scores, n=n_localised // 4, seed=seed, **reading),
    }

# %% tags=["remove-cell"]
if save_detector:
    run.attach("detector", detector.save)
run.metrics(
    {
        **summaries["ssim"],
        "micro_auroc_interval": main,
        "overlap": overlap_coefficient(scores["label"], scores["ssim"]),
        "n_fit_frames": n_fitted,
        "n_fit_frames_spade": len(spade_split.fit),
        "spade_minus_ssim": spade_minus_ssim,
        "cam_spread": float(spread.mean()),
        "shift_px": shift,
        "shift_effect": shift_effect,
        "scene_share": scene_share,
        "n_parameters": network.n_parameters,
        "localisation": located,
        "scores": {name: {"micro_auroc_interval": intervals[name], **summaries[name]} for name in columns},
    }
)
run.save()
glue("micro_auroc", f"{main:.3f}", display=False)
glue("verdict", against_chance(main), display=False)
glue("spade_auroc", f"{intervals['knn']:.3f}", display=False)
glue("spade_verdict", difference_in_words("SPADE proper", "Grad-CAM + SSIM", spade_minus_ssim), display=False)
glue("paper_auroc", f"{load_paper_values()['gradcam_ssim_auroc'].value:.3f}", display=False)
glue("n_references", n_fitted, display=False)
glue("n_neighbours", n_neighbours, display=False)
glue("overlap", f"{overlap_coefficient(scores['label'], scores['ssim']):.0%}", display=False)
glue("cam_spread", f"{spread.mean():.2f}", display=False)
glue("shift_px", shift, display=False)
glue("shift_effect", f"{shift_effect:.2f}", display=False)
glue("scene_share", f"{scene_share:.0%}", display=False)
glue("best_kind", f"{by_kind.index[0]} ({by_kind['estimate'].iloc[0]:.3f})", display=False)
glue("worst_kind", f"{by_kind.index[-1]} ({by_kind['estimate'].iloc[-1]:.3f})", display=False)
glue("pointing", interval_or_none(located["ssim"] and located["ssim"]["pointing"]), display=False)
glue("pointing_chance", interval_or_none(located["ssim"] and located["ssim"]["mask_share"]), display=False)
glue("data_note", data_note(dataset, network.record, copy=videos), display=False)
glue(
    "chapter_line",
    chapter_line(
        profile=profile,
        dataset=dataset,
        network=network_name(network),
        n_fit=n_fitted,
        n_test=len(scores),
        seconds=run.seconds,
        date=run.started,
    ),
    display=False,
)

# %% [markdown]
# ## What this shows
#
# - Grad-CAM + SSIM is {glue:text}`verdict` here, at {glue:text}`micro_auroc`; {glue:text}`spade_verdict`.
# - It is best at {glue:text}`best_kind` and worst at {glue:text}`worst_kind`.
# - In the frames with a ground-truth mask, the most dissimilar pixel lies inside the mask in a share of
#   {glue:text}`pointing` of them; a pixel picked blindly would in {glue:text}`pointing_chance`.
#
# ## What this does not show
#
# Only one target class (the most likely), one window and one way of averaging the layers have been tried here.
#
# Downloads: {download}`this chapter's script <../results/03_gradcam_ssim/03_gradcam_ssim.py>` ·
# {download}`scores <../results/03_gradcam_ssim/scores.csv>` ·
# {download}`metrics <../results/03_gradcam_ssim/metrics.json>` ·
# {download}`run record <../results/03_gradcam_ssim/run.json>` ·
# {download}`Figure 2 as SVG <../results/03_gradcam_ssim/figures/cams.svg>`
