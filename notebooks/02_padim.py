# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # PaDiM: a Gaussian for every patch
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **Does a frame whose patches are far from what their place usually looks like hold an anomaly?** With the
# {glue:text}`score_name` of its heatmap as the frame's score, PaDiM {cite}`defard2021padim` reaches a micro AUROC of
# **{glue:text}`micro_auroc`** (95 % interval over clips), which is {glue:text}`verdict`; the paper reports
# {glue:text}`paper_auroc` on ShanghaiTech Campus.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18"  # network that gives the features: resnet18 or efficientnet_lite0 (paper: ResNet-18)
weights = "bundled"  # its weights: imagenet, bundled, random, or a file (paper: ImageNet)
seed = 0  # of the draw, the projection, random weights and the bootstrap
image_size = 224  # pixels, height and width of the network's input
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

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from myst_nb import glue

from vadlib import networks
from vadlib.data import FrameReader, draw, open_dataset, read_frame
from vadlib.detectors import Padim
from vadlib.evaluation import (
    auroc_by_group,
    bootstrap_auroc,
    bootstrap_difference,
    bootstrap_roc_band,
    event_of_frames,
    extreme_frames,
    overlap_coefficient,
    summarize,
)
from vadlib.figures import (
    DETECTOR_COLOURS,
    densities,
    heatmap_sheet,
    interval_rows,
    roc,
    use_house_style,
)
from vadlib.report import Experiment, load_paper_values, project_path
from vadlib.report.chapters import localise, table_of_merit
from vadlib.report.words.common import (
    SCORE_NAMES,
    against_chance,
    chapter_line,
    data_note,
    difference_in_words,
    interval_or_none,
    network_name,
)

use_house_style()
run = Experiment.from_notebook("02_padim", globals())

# %% [markdown]
# ## How it works
#
# :::{margin}
# "Features compressed to 300 dimensions using random projection" and "multivariate Gaussian distributions computed
# per spatial location" (section 3.1.2). Which frame score follows from the heatmap, the paper does not say.
# :::
#
# The first three layers of the network (the paper's is ResNet-18) describe every patch of the frame by {glue:text}`n_channels` numbers, which a random projection brings
# to {glue:text}`n_components`. Over normal frames, each position $p$ gets a mean $\mu_p$ and a covariance $\Sigma_p$; a new frame's patch
# $x_p$ is as anomalous as its Mahalanobis distance
#
# $$ d_p(x) = \sqrt{(x_p - \mu_p)^\top (\Sigma_p + \varepsilon I)^{-1} (x_p - \mu_p)}. $$
#
# The distances, brought to the frame's size and blurred, are the heatmap; its {glue:text}`score_name` is the frame's
# score.

# %% tags=["hide-input", "remove-output"]
videos = open_dataset(
    dataset, project_path(dataset_root), allow_missing=allow_missing, skip_unreadable=skip_unreadable
).with_pictures()
split = draw(
    videos.frame_table(),
    "official-split",
    fit_normal=n_fit_frames,
    fit_abnormal=0,
    test_normal=n_test_normal,
    test_abnormal=n_test_abnormal,
    seed=seed,
)
size = (image_size, image_size)
reading = {"size": size, "batch_size": batch_size, "skip_unreadable": skip_unreadable}
network = getattr(networks, backbone)(weights, seed=seed)
detector = Padim(
    network,
    n_components,
    seed,
    device,
    epsilon=epsilon,
    sigma=blur_sigma,
    frame_score=frame_score,
)
run.record(dataset=videos, weights=network.record.as_dict(), precision=network.precision)
with run.stage("fit"):
    fit_reader = FrameReader(videos, split.fit, description="fitting", **reading)
    detector.fit(fit_reader)
n_fitted = len(split.fit) - len(fit_reader.skipped)
run.record(skipped_in_fit=len(fit_reader.skipped))

# %% tags=["hide-input", "remove-output"]
reader = FrameReader(videos, split.test, description="scoring", **reading)
with run.stage("score"):
    columns = detector.score_columns(reader)
scores = run.scores(split.test, columns, skipped=reader.skipped)
intervals = {
    name: bootstrap_auroc(scores["label"], scores[name], clusters=scores["clip"], n_resamples=n_resamples, seed=seed)
    for name in columns
}
summaries = {name: summarize(scores, name) for name in columns}
main = intervals[frame_score]
mean_minus_max = bootstrap_difference(
    scores["label"], scores["mean"], scores["max"], clusters=scores["clip"], n_resamples=n_resamples, seed=seed
)

# %% [markdown]
# ## Where it looks
#
# The paper's Figure 1 shows one heatmap. {numref}`fig-heatmaps` shows the frames on which the detector is most and
# least right: the anomalous frames that score highest (hits), the anomalous frames that score lowest (misses), and the
# normal frames that score highest (false alarms), at most one a clip of each.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-heatmaps", "caption": "PaDiM's heatmaps (Figure 1 of the paper), one colour scale for all: the surest hits, the worst misses, the loudest false alarms. Outline: the ground truth, where there is one."}, "image": {"alt": "Frames with PaDiM's heatmap over them: hits, misses and false alarms"}}
examples = pd.concat(
    [
        extreme_frames(scores, frame_score, label=1, highest=True, n=3).assign(what="hit"),
        extreme_frames(scores, frame_score, label=1, highest=False, n=3).assign(what="miss"),
        extreme_frames(scores, frame_score, label=0, highest=True, n=3).assign(what="false alarm"),
    ]
).drop_duplicates(["clip", "frame"], ignore_index=True)
batch = next(iter(FrameReader(videos, examples, size, len(examples), progress=False)))
heatmaps = detector.heatmap(batch.images)[np.argsort(batch.rows)]
heatmap_figure = heatmap_sheet(
    [read_frame(videos, row.clip, row.frame) for row in examples.itertuples()],
    heatmaps,
    [f"{row.what}: {row.clip}, frame {row.frame}" for row in examples.itertuples()],
    masks=[videos.pixel_mask(row.clip, row.frame) for row in examples.itertuples()],
    label="Mahalanobis distance (standard deviations)",
)
run.figure("heatmaps", heatmap_figure, caption="PaDiM's heatmaps (Figure 1 of the paper), one colour scale for all.")

# %% [markdown]
# ## How well it separates
#
# {numref}`fig-roc-padim` is the paper's Figure 4 (a), with the band that the paper lacks: clips are resampled, since
# frames of one clip are not independent. {numref}`fig-density-padim` is its half of Figure 5; the two densities
# share {glue:text}`overlap` of their area.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-roc-padim", "caption": "ROC curve of PaDiM (Figure 4 a of the paper), with the 95 % band from resampling clips."}, "image": {"alt": "ROC curve of PaDiM with its band, beside the diagonal of chance"}}
band = bootstrap_roc_band(
    scores["label"], scores[frame_score], clusters=scores["clip"], n_resamples=n_resamples, seed=seed
)
roc_figure = roc({"PaDiM": (band, main, DETECTOR_COLOURS["PaDiM"])})
run.figure("roc", roc_figure, caption="ROC curve of PaDiM (Figure 4 a of the paper), with its 95 % band over clips.")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-density-padim", "caption": "Kernel density estimates of PaDiM's frame scores (Figure 5 of the paper), normal and anomalous frames."}, "image": {"alt": "Two overlapping density curves of PaDiM's scores for normal and anomalous frames"}}
density_figure = densities(
    scores["label"].to_numpy(), scores[frame_score].to_numpy(), xlabel=f"frame score: {frame_score} of the heatmap"
)
run.figure("densities", density_figure, caption="Densities of PaDiM's frame scores (Figure 5 of the paper).")

# %% [markdown]
# ## The frame score, which the paper leaves open
#
# A heatmap has {glue:text}`n_pixels` values and a frame one score. All three readings of the same heatmaps, of the same
# frames, are in the table. On the same resamples of the clips, the AUROC of the mean minus that of the maximum is
# {glue:text}`mean_minus_max`: {glue:text}`mean_verdict`.

# %% tags=["hide-input"]
table_of_merit(intervals, summaries, names={name: f"{name} of the heatmap" for name in columns})

# %% [markdown]
# ## What it sees and what it misses
#
# Each kind of event against all normal frames; clips instead of kinds where the data set names none.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-kinds-padim", "caption": "AUROC of PaDiM for the anomalous frames of each kind of event, or of each clip, against all normal frames. Lines: 95 % intervals over clips; a dot alone comes from a single clip, which has none."}, "image": {"alt": "Dots with intervals: AUROC by kind of event"}}
kinds = event_of_frames(scores, videos.events) if len(videos.events) else scores["clip"].to_numpy()
by_kind = auroc_by_group(scores, frame_score, kinds, n_resamples=n_resamples, seed=seed)
by_kind["colour"] = DETECTOR_COLOURS["PaDiM"]
by_kind["note"] = [f"{row.n_frames} frames, {row.n_clips} clip(s)" for row in by_kind.itertuples()]
seen_in = dict(zip(kinds, event_of_frames(scores, videos.events, column="seen_in"), strict=True))
names = [f"{kind} ({seen_in[kind]})" if seen_in[kind] else kind for kind in by_kind.index]
kinds_figure = interval_rows(by_kind.set_axis(names))
run.figure("kinds", kinds_figure, caption="AUROC of PaDiM by kind of event, or by clip.")

# %% tags=["hide-input", "remove-output"]
with run.stage("localise"):
    located = localise(detector, videos, scores, n=n_localised, seed=seed, **reading)

# %% tags=["remove-cell"]
if save_detector:
    run.attach("detector", detector.save)
run.metrics(
    {
        **summaries[frame_score],
        "micro_auroc_interval": main,
        "overlap": overlap_coefficient(scores["label"], scores[frame_score]),
        "mean_minus_max": mean_minus_max,
        "n_fit_frames": n_fitted,
        "n_parameters": network.n_parameters,
        "localisation": located,
        "frame_scores": {name: {"micro_auroc_interval": intervals[name], **summaries[name]} for name in columns},
        "by_kind": {
            kind: {name: None if pd.isna(value) else value for name, value in row.items()}
            for kind, row in by_kind[["n_frames", "n_clips", "estimate", "low", "high"]].to_dict("index").items()
        },
    }
)
run.save()
best, worst = by_kind.index[0], by_kind.index[-1]
glue("micro_auroc", f"{main:.3f}", display=False)
glue("verdict", against_chance(main), display=False)
glue("score_name", SCORE_NAMES[frame_score], display=False)
glue("n_components", n_components, display=False)
glue("n_pixels", f"{image_size**2:,}", display=False)
glue("mean_minus_max", f"{mean_minus_max:+.3f}", display=False)
glue("mean_verdict", difference_in_words("the mean", "the maximum", mean_minus_max), display=False)
glue("paper_auroc", f"{load_paper_values()['padim_auroc'].value:.3f}", display=False)
glue("overlap", f"{overlap_coefficient(scores['label'], scores[frame_score]):.0%}", display=False)
glue("mean_auroc", f"{intervals['mean']:.3f}", display=False)
glue("max_auroc", f"{intervals['max']:.3f}", display=False)
glue("best_kind", f"{best} ({by_kind.loc[best, 'estimate']:.3f})", display=False)
glue("worst_kind", f"{worst} ({by_kind.loc[worst, 'estimate']:.3f})", display=False)
glue("fit_seconds", f"{run.stages['fit']['seconds']:.0f}", display=False)
glue("milliseconds", f"{1000 * run.stages['score']['seconds'] / len(scores):.0f}", display=False)
glue("pointing", interval_or_none(located and located["pointing"]), display=False)
glue("pointing_chance", interval_or_none(located and located["mask_share"]), display=False)
glue("n_channels", sum(network.channels[layer] for layer in detector.layers), display=False)
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
# - With the maximum as the frame's score the AUROC is {glue:text}`max_auroc`, with the mean of the same heatmaps
#   {glue:text}`mean_auroc`: {glue:text}`mean_verdict`.
# - It is best at {glue:text}`best_kind` and worst at {glue:text}`worst_kind`.
# - In the frames with a ground-truth mask, the hottest pixel lies inside the mask in a share of {glue:text}`pointing` of
#   them; a pixel picked blindly would in {glue:text}`pointing_chance`.
# - Fitting took {glue:text}`fit_seconds` s and scoring {glue:text}`milliseconds` ms a frame, decoding included.
#
# ## What this does not show
#
# The detector looks at one frame at a time, so whatever is wrong only in how something *moves* is out of its reach by
# construction; where it scores such frames high, it does so for another reason, such as where people stand.
#
# Downloads: {download}`this chapter's script <../results/02_padim/02_padim.py>` ·
# {download}`scores <../results/02_padim/scores.csv>` · {download}`metrics <../results/02_padim/metrics.json>` ·
# {download}`run record <../results/02_padim/run.json>` ·
# {download}`Figure 1 as SVG <../results/02_padim/figures/heatmaps.svg>` ·
# {download}`ROC as SVG <../results/02_padim/figures/roc.svg>`
