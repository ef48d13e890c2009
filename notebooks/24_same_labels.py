# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Like for like: the same labels for everybody
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **Are prototypes the better method, or are they only told more?** In the paper PaDiM and Grad-CAM + SSIM never see an anomaly, and the prototypes
# see as many labelled anomalous frames as normal ones. Here all see the same, both ways: nobody a label, then everybody the same labelled frames.
# {glue:text}`verdict`

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18"  # network of PaDiM and SPADE
classifier = "resnet18"  # network of Grad-CAM + SSIM
embedder = "clip_vision"  # network of the prototypes
weights = "bundled"  # of the report's networks: imagenet, bundled, random, or a file
classifier_weights: str | None = None  # of the classifier; None: the same as weights
embedder_weights: str | None = None  # of the embedder; None: the same as weights
image_size = 224  # pixels, height and width of the frames as read
seed = 0  # of the draw, reductions, K-Means, random weights and the bootstrap
batch_size = 32  # frames
protocol = "disjoint-clips"  # where labelled frames come from: any of vadlib.data.sampling but official-split
n_fit_informed = 80  # normal training frames of the detectors that see no anomaly
n_fit_informed_clip = 80  # labelled frames of each class, in each fold, for all that see labels
n_test_informed: int | None = 100  # test frames of each class; None for all
n_components_informed = 100  # dimensions that PaDiM keeps (paper: 300)
n_prototypes_informed = 20  # of each class (paper: 100)
n_neighbours_informed = 10  # normal frames that SPADE compares with
headed = ["PaDiM", "Grad-CAM + SSIM", "Prototypes"]  # given labels by a logistic head; the prototypes' embeddings too
head_grid = 4  # cells along each side of a heatmap that the head sees
head_inverse_regularisation = 0.1  # scikit-learn's C; not tuned
n_folds = 3  # of clips, cross-fitted
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
results_dir = "_build/manual/24_same_labels"  # folder to write the results to

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from myst_nb import glue

from vadlib.data import draw, open_dataset
from vadlib.evaluation import bootstrap_auroc, bootstrap_difference
from vadlib.figures import DETECTOR_COLOURS, grouped_interval_rows, use_house_style
from vadlib.report import Experiment, project_path
from vadlib.report.words.common import chapter_line, data_note, difference_in_words, network_name
from vadlib.studies.runner import DetectorRunner, DetectorSpec, main_scores
from vadlib.studies.supervision import (
    INFORMATION,
    WITH,
    WITHOUT,
    paired_differences,
    ranking_in_words,
    specs_by_supervision,
    table_of_pairs,
    verdict,
)

use_house_style()
run = Experiment.from_notebook("24_same_labels", globals())

# %% [markdown]
# ## How the information is made the same
#
# *No labels.* PaDiM, Grad-CAM + SSIM and SPADE as they are, fitted on normal frames of the training clips. The prototypes lose their anomalous half:
# K-Means of the same normal training frames, and a frame is the more anomalous the further it is from all of them.
#
# *Labels.* Every fold of clips gives the same {glue:text}`n_labelled` labelled frames to all, and frames of the other clips are scored. The prototypes use them as
# the paper says. PaDiM and Grad-CAM + SSIM stay fitted on normal frames, and each heatmap becomes {glue:text}`n_features` numbers: its
# maximum, mean and top 1 %, and the mean and the maximum of each cell of a {glue:text}`head_grid` grid. A logistic regression on these, standardised, is
# what sees the labels. So that the classifier is not what is compared, the same regression also gets the prototypes' own embeddings.

# %% tags=["hide-input", "remove-output"]
videos = open_dataset(
    dataset, project_path(dataset_root), allow_missing=allow_missing, skip_unreadable=skip_unreadable
).with_pictures()
table = videos.frame_table()
testing = {"test_normal": n_test_informed, "test_abnormal": n_test_informed, "seed": seed, "n_folds": n_folds}
trials = DetectorRunner(
    videos,
    draw(table, "official-split", n_fit_informed, 0, **testing),
    draw(table, protocol, n_fit_informed_clip, n_fit_informed_clip, **testing),
    batch_size=batch_size,
    seed=seed,
    device=device,
    skip_unreadable=skip_unreadable,
)
own = f"{backbone}:{weights}"
detectors = {
    "PaDiM": DetectorSpec("PaDiM", own, image_size, options={"n_components": n_components_informed}),
    "Grad-CAM + SSIM": DetectorSpec("Grad-CAM + SSIM", f"{classifier}:{classifier_weights or weights}", image_size),
    "SPADE": DetectorSpec("SPADE", own, image_size, options={"k": n_neighbours_informed}),
    "Prototypes": DetectorSpec(
        "Prototypes",
        f"{embedder}:{embedder_weights or weights}",
        image_size,
        options={"k": n_prototypes_informed},
    ),
}
head = {"grid": head_grid, "inverse_regularisation": head_inverse_regularisation}
informed = specs_by_supervision(detectors, dict.fromkeys(headed, head))
wanted = {name: trial for group in informed.values() for name, trial in group.items()}
run.record(dataset=videos, weights=trials.network(own).record.as_dict(), precision=trials.network(own).precision)
with run.stage("trials"):
    columns = main_scores(wanted, trials.run(wanted))
readable = np.logical_and.reduce([np.isfinite(values) for values in columns.values()])
scores = run.scores(trials.tested, columns, skipped=np.flatnonzero(~readable))
comparing = {"n_resamples": n_resamples, "seed": seed}
resampling = {"clusters": scores["clip"], **comparing}
merits = {
    information: {name: bootstrap_auroc(scores["label"], scores[name], **resampling) for name in group}
    for information, group in informed.items()
}
pairs = {
    information: paired_differences(scores, {name: name for name in group}, **comparing)
    for information, group in informed.items()
}

# %% [markdown]
# ## The two rankings

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-like-for-like", "caption": "AUROC on the same test frames when nobody has seen a labelled anomaly (above) and when everybody has seen the same labelled frames (below). Lines: 95 % intervals over clips."}, "image": {"alt": "Two groups of dots with intervals: AUROC of each detector without labels and with the same labels for all"}}
rows = pd.DataFrame(
    [
        {
            "group": {WITHOUT: "nobody sees a label", WITH: "everybody sees the same labels"}[information],
            "label": name,
            "estimate": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            "colour": DETECTOR_COLOURS["One-class prototypes" if name.startswith("One") else wanted[name].detector],
            "note": f"{interval.estimate:.3f}",
        }
        for information in INFORMATION
        for name, interval in merits[information].items()
    ]
)
rankings_figure = grouped_interval_rows(rows)
run.figure("rankings", rankings_figure, caption="AUROC of each detector without labels, and with the same for all.")

# %% [markdown]
# Every pair of detectors that see the same, as the difference of their AUROCs on the same resamples of the clips:

# %% tags=["hide-input"]
table_of_pairs(pairs)

# %% [markdown]
# ## What the labels are worth
#
# The same detector with and without: where its interval leaves out zero, the labels moved the number, and not the method. (The prototypes'
# normal frames change with it, from training clips to labelled ones of test clips.)

# %% tags=["hide-input"]
worth = {
    name: bootstrap_difference(scores["label"], scores[name], scores[without], **resampling)
    for name, trial in informed[WITH].items()
    for without, plain in informed[WITHOUT].items()
    if plain.detector == trial.detector
}
pd.DataFrame({name: {"AUROC gained by labels [95 %]": f"{interval:+.3f}"} for name, interval in worth.items()}).T

# %% tags=["remove-cell"]
run.metrics(
    {
        "n_frames": len(scores),
        "n_fit_frames": n_fit_informed,
        "trials": {
            name: {
                "detector": wanted[name].detector,
                "network": network_name(trials.network(wanted[name].network)),
                "information": information,
            }
            | {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
            for information in INFORMATION
            for name, interval in merits[information].items()
        },
        "pairs": {information: found.to_dict("records") for information, found in pairs.items()},
        "worth_of_labels": worth,
    }
)
run.save()
prototypes = {WITHOUT: "One-class prototypes", WITH: "Prototypes"}
crossed = bootstrap_difference(scores["label"], scores["Prototypes"], scores["PaDiM"], **resampling)
even = bootstrap_difference(scores["label"], scores["One-class prototypes"], scores["PaDiM"], **resampling)
largest = max(worth, key=lambda name: worth[name].estimate)
glue("verdict", verdict(prototypes, merits, pairs), display=False)
glue("ranking_without", ranking_in_words(merits[WITHOUT], pairs[WITHOUT]), display=False)
glue("ranking_with", ranking_in_words(merits[WITH], pairs[WITH]), display=False)
glue("crossed", f"{crossed:+.3f}", display=False)
glue("crossed_words", difference_in_words("the prototypes", "PaDiM", crossed), display=False)
glue("even", f"{even:+.3f}", display=False)
glue("even_words", difference_in_words("the one-class prototypes", "PaDiM", even), display=False)
glue("largest", f"{largest} ({worth[largest]:+.3f})", display=False)
glue("n_labelled", f"{n_fit_informed_clip} + {n_fit_informed_clip}", display=False)
glue("n_features", 3 + 2 * head_grid**2, display=False)
glue("head_grid", f"{head_grid}x{head_grid}", display=False)
glue("data_note", data_note(dataset, trials.network(own).record, copy=videos), display=False)
glue(
    "chapter_line",
    chapter_line(
        profile=profile,
        dataset=dataset,
        network=", ".join(dict.fromkeys(network_name(trials.network(trial.network)) for trial in detectors.values())),
        n_fit=n_fit_informed,
        n_test=len(scores),
        seconds=run.seconds,
        date=run.started,
    ),
    display=False,
)

# %% [markdown]
# ## What this shows
#
# - No labels for anyone: {glue:text}`ranking_without`.
# - The same labels for all: {glue:text}`ranking_with`.
# - The paper's own comparison, prototypes with labels against PaDiM without, gives {glue:text}`crossed`: {glue:text}`crossed_words`. Without
#   labels for either it is {glue:text}`even`: {glue:text}`even_words`.
# - Of the gains by labels the largest is that of {glue:text}`largest`.
#
# ## What this does not show
#
# A head is one way to use labels, and a simple one; a detector could be trained on them from end to end. The labelled anomalies are of the same
# kinds as those tested, in other clips: an anomaly that nobody has labelled yet is what the detectors without labels are for.
#
# Downloads: {download}`this chapter's script <../results/24_same_labels/24_same_labels.py>` ·
# {download}`scores <../results/24_same_labels/scores.csv>` · {download}`metrics <../results/24_same_labels/metrics.json>` ·
# {download}`run record <../results/24_same_labels/run.json>` ·
# {download}`the rankings as SVG <../results/24_same_labels/figures/rankings.svg>`
