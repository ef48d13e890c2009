# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the network is worth
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **How much of a detector's result is its network's?** Every detector is fitted on the same frames and scored on the same frames, and only the
# network changes: its weights, the layers that are read, the size of the picture. {glue:text}`trained_sentence` The draws are smaller than in the
# detectors' own chapters ({glue:text}`n_frames`), so the numbers differ from theirs.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18"  # network of PaDiM in this report, which layers and sizes are tried on
weights = "bundled"  # of the report's networks: imagenet, bundled, random, or a file
compared_networks = [  # under PaDiM, Grad-CAM + SSIM and SPADE; what is not on this machine is left out, and named
    "resnet18:random",
    "resnet18:bundled",
    "resnet18:imagenet",
    "efficientnet_lite0:imagenet",
]
compared_embedders = [  # under the prototypes, likewise
    "clip_vision:random",
    "clip_vision:bundled",
    "clip_vision:openai",
    "resnet18:bundled",
    "efficientnet_lite0:imagenet",
]
compared_layers = ["layer1", "layer2", "layer3", "layer1 layer2 layer3"]  # that PaDiM reads (paper: the last)
compared_sizes = [112, 224]  # pixels, height and width of PaDiM's frames (paper: 224)
image_size = 224  # pixels, where the size is not what is compared
seed = 0  # of the draw, reductions, K-Means, random weights and the bootstrap
batch_size = 32  # frames
n_fit_compared = 60  # normal training frames of every setting
n_fit_compared_clip = 60  # labelled frames of each class, from other clips than the tested ones
n_test_compared = 80  # test frames of each class
n_components_compared = 100  # dimensions that PaDiM keeps
n_prototypes_compared = 20  # of each class
n_neighbours_compared = 10  # normal frames that SPADE compares with
n_folds = 3  # of clips, of the cross-fitted prototypes
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
results_dir = "_build/manual/28_networks"  # folder to write the results to

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from myst_nb import glue

from vadlib.data import draw, open_dataset
from vadlib.figures import DETECTOR_COLOURS, interval_rows, use_house_style
from vadlib.report import Experiment, project_path
from vadlib.report.words.common import chapter_line, data_note
from vadlib.studies.networks import (
    gains_by_kind,
    kinds_of_anomaly,
    network_trials,
    random_bases,
    table_of_trials,
    trained_against_random,
    undecided_gains,
)
from vadlib.studies.runner import DetectorRunner, DetectorSpec, compare_trials, main_scores

use_house_style()
run = Experiment.from_notebook("28_networks", globals())

# %% tags=["hide-input", "remove-output"]
videos = open_dataset(
    dataset, project_path(dataset_root), allow_missing=allow_missing, skip_unreadable=skip_unreadable
).with_pictures()
table = videos.frame_table()
testing = {"test_normal": n_test_compared, "test_abnormal": n_test_compared, "seed": seed, "n_folds": n_folds}
trials = DetectorRunner(
    videos,
    draw(table, "official-split", n_fit_compared, 0, **testing),
    draw(table, "disjoint-clips", n_fit_compared_clip, n_fit_compared_clip, **testing),
    batch_size=batch_size,
    seed=seed,
    device=device,
    skip_unreadable=skip_unreadable,
)
own = f"{backbone}:{weights}"
run.record(dataset=videos, weights=trials.network(own).record.as_dict(), precision=trials.network(own).precision)

# %% tags=["hide-input", "remove-output"]
options = {
    "PaDiM": {"n_components": n_components_compared},
    "SPADE": {"k": n_neighbours_compared},
    "Prototypes": {"k": n_prototypes_compared},
}
by_network, left_out = network_trials(trials, [own, *compared_networks], compared_embedders, image_size, options)
by_layers = {
    f"PaDiM, {layers}": DetectorSpec(
        "PaDiM", own, image_size, options=options["PaDiM"] | {"layers": tuple(layers.split())}
    )
    for layers in compared_layers
}
by_size = {f"PaDiM, {size} px": DetectorSpec("PaDiM", own, size, options=options["PaDiM"]) for size in compared_sizes}
settings = {**by_network, **by_layers, **by_size}
with run.stage("trials"):
    columns = main_scores(settings, trials.run(settings))
readable = np.logical_and.reduce([np.isfinite(values) for values in columns.values()])
scores = run.scores(trials.tested, columns, skipped=np.flatnonzero(~readable))
comparing = {"n_resamples": n_resamples, "seed": seed}
kinds = kinds_of_anomaly(scores, videos)

# %% [markdown]
# ## Networks
#
# `random` is the same architecture before any training, which trained weights have to beat to be worth their training. `bundled` is what
# comes with this project, trained on synthetic pictures of other places than the demo's. {numref}`fig-networks` has every pairing. The table
# adds the difference from the same detector with random weights of the same architecture, on the same resamples of the clips. Where the
# data set names its events it splits the anomalies: some look strange in a single picture, others only move strangely, and
# nothing here sees motion, so the second column should be near 0.5 whatever the network.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-networks", "caption": "AUROC of each detector by the network under it (architecture:weights), on the same test frames. Lines: 95 % intervals over clips."}, "image": {"alt": "Dots with intervals: AUROC of each detector with each network"}}
merit = compare_trials(scores, random_bases(by_network), **comparing)
colours = [DETECTOR_COLOURS[by_network[name].detector] for name in merit.index]
networks_figure = interval_rows(merit.assign(colour=colours, note=[f"{value:.3f}" for value in merit["estimate"]]))
run.figure("networks", networks_figure, caption="AUROC of each detector by the network under it.")

# %% tags=["hide-input"]
table_of_trials(merit, scores, kinds, **comparing)

# %% [markdown]
# {glue:text}`left_out`
#
# {glue:text}`undecided` Two things stand between training and a higher AUROC. Where nothing in a single picture is unusual, no weights help,
# and frames of motion alone dilute the gain. And a network can know something else than what is asked of it: by its model card, the
# bundled CLIP names the kind of place it sees far more often than what happens there, so that its embeddings tell scenes apart first, and
# Grad-CAM + SSIM compares where a classifier looks, not what it finds. The gains, apart for each kind of anomaly where the data set names them:

# %% tags=["hide-input"]
by_kind = gains_by_kind(scores, kinds, random_bases(by_network), **comparing)
by_kind.map("{:+.3f}".format).add_prefix("gain over random weights, ").style

# %% [markdown]
# ## Layers
#
# PaDiM on {glue:text}`own` again, reading one layer at a time. Early layers know edges and colours at a fine grid, late ones shapes at a coarse
# grid; the paper joins the first three. The gain is over the row `layer1 layer2 layer3`.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-layers", "caption": "AUROC of PaDiM by the layers that it reads, on the same test frames. Lines: 95 % intervals over clips."}, "image": {"alt": "Dots with intervals: AUROC of PaDiM by layers"}}
layer_merit = compare_trials(scores, dict.fromkeys(by_layers, f"PaDiM, {compared_layers[-1]}"), **comparing)
padim_style = {"colour": DETECTOR_COLOURS["PaDiM"], "note": ""}
layers_figure = interval_rows(layer_merit.assign(**padim_style))
run.figure("layers", layers_figure, caption="AUROC of PaDiM by the layers that it reads.")

# %% tags=["hide-input"]
table_of_trials(layer_merit, scores, kinds, against=f"gain over {compared_layers[-1]}", **comparing)

# %% [markdown]
# ## Size of the picture
#
# The paper says 224 pixels. Videos are larger, and a person far away is a few pixels tall at that size; a smaller picture costs less.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-sizes", "caption": "AUROC of PaDiM by the side of the square that frames are resized to. Lines: 95 % intervals over clips."}, "image": {"alt": "Dots with intervals: AUROC of PaDiM by picture size"}}
size_merit = compare_trials(scores, dict.fromkeys(by_size, f"PaDiM, {image_size} px"), **comparing)
sizes_figure = interval_rows(size_merit.assign(**padim_style))
run.figure("sizes", sizes_figure, caption="AUROC of PaDiM by the side of the square that frames are resized to.")

# %% tags=["hide-input"]
table_of_trials(size_merit, scores, kinds, against=f"gain over {image_size} px", **comparing)

# %% [markdown]
# ## Weights
#
# Every network tried, with its file's digest. `vadlib weights` lists where each comes from, its licence, and where it is kept.

# %% tags=["hide-input"]
used = {name: trials.network(name).record for name in dict.fromkeys(trial.network for trial in settings.values())}
pd.DataFrame(
    {
        name: {
            "weights": record.name,
            "SHA-256 of the file": record.sha256 or "no file: drawn from the seed",
            "million parameters": f"{trials.network(name).n_parameters / 1e6:.1f}",
        }
        for name, record in used.items()
    }
).T

# %% tags=["remove-cell"]
run.metrics(
    {
        "n_frames": len(scores),
        "n_fit_frames": n_fit_compared,
        "left_out": left_out,
        "gains_by_kind": by_kind.to_dict("index"),
        "trials": {
            name: {"detector": settings[name].detector, "network": settings[name].network, **entry}
            for part in (merit, layer_merit, size_merit)
            for name, entry in part.to_dict("index").items()
        },
    }
)
run.save()
best_layers, best_size = layer_merit["estimate"].idxmax(), size_merit["estimate"].idxmax()
lacking = "; ".join(f"{name} ({reason})" for name, reason in left_out.items())
glue("trained_sentence", trained_against_random(merit, by_network), display=False)
glue("undecided", undecided_gains(merit, by_kind, by_network), display=False)
glue("own", own if len(own) < 40 else backbone, display=False)
glue("left_out", f"Left out: {lacking}." if left_out else "Nothing was left out.", display=False)
glue("n_frames", f"{n_fit_compared} frames fitted, {len(scores)} tested", display=False)
glue("best_layers", best_layers.removeprefix("PaDiM, "), display=False)
glue("best_layers_auroc", f"{layer_merit.loc[best_layers, 'estimate']:.3f}", display=False)
glue("best_size", best_size.removeprefix("PaDiM, "), display=False)
glue("best_size_auroc", f"{size_merit.loc[best_size, 'estimate']:.3f}", display=False)
glue("own_layers_auroc", f"{layer_merit['estimate'].iloc[-1]:.3f}", display=False)
glue("data_note", data_note(dataset, trials.network(own).record, copy=videos), display=False)
glue(
    "chapter_line",
    chapter_line(
        profile=profile,
        dataset=dataset,
        network=f"{len(used)} networks",
        n_fit=n_fit_compared,
        n_test=len(scores),
        seconds=run.seconds,
        date=run.started,
    ),
    display=False,
)

# %% [markdown]
# ## What this shows
#
# - {glue:text}`trained_sentence`
# - Read one at a time or together, the layers with the highest AUROC are {glue:text}`best_layers`, at {glue:text}`best_layers_auroc`; the
#   paper's three reach {glue:text}`own_layers_auroc`.
# - Of the picture sizes, {glue:text}`best_size` has the highest AUROC, {glue:text}`best_size_auroc`.
#
# ## What this does not show
#
# A highest value picked from several on the test frames is an optimistic one; the intervals of the gains say which choices these clips can
# tell apart at all.
#
# Downloads: {download}`this chapter's script <../results/28_networks/28_networks.py>` ·
# {download}`scores <../results/28_networks/scores.csv>` · {download}`metrics <../results/28_networks/metrics.json>` ·
# {download}`run record <../results/28_networks/run.json>` ·
# {download}`the networks as SVG <../results/28_networks/figures/networks.svg>`
