# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # CLIP prototypes: how near a frame is to what was labelled
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **Do prototypes of labelled frames tell anomalous frames from normal ones in clips that they have not seen?** Under the protocol
# {glue:text}`protocol` the ensemble of three scores reaches a micro AUROC of **{glue:text}`micro_auroc`** (95 % interval over clips),
# which is {glue:text}`verdict`. Where the prototypes' frames are among the test frames it is {glue:text}`reused_auroc`. The paper reports
# {glue:text}`paper_auroc` on ShanghaiTech Campus, and does not say which of the two it did.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
embedder = "clip_vision"  # network that embeds: clip_vision, resnet18 or efficientnet_lite0 (paper: CLIP)
weights = "bundled"  # of the report's networks: imagenet, bundled, random, or a file
embedder_weights: str | None = None  # of the embedder; None: the same as weights (paper: OpenAI's)
seed = 0  # of the draw, K-Means, random weights and the bootstrap
image_size = 224  # pixels, height and width of the frames as read
batch_size = 32  # frames
protocol = (
    "disjoint-clips"  # where labelled frames come from: disjoint-clips, disjoint-scenes, same-clips, reused-frames
)
n_fit_frames_clip = 300  # labelled frames of each class (paper: 2,000)
n_fit_frames = 600  # normal training frames of the one-class variant
n_test_normal: int | None = 600  # normal test frames; None for all (paper: 4,000)
n_test_abnormal: int | None = 600  # anomalous test frames; None for all (paper: 4,000)
n_prototypes = 30  # of each class (paper: 100)
top_k = 5  # prototypes that the topk score averages (paper: not said)
n_timed = 96  # test frames embedded without the cache, to measure what embedding costs
n_folds = 5  # of the cross-fitted protocols
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
cache_dir = "_build/embeddings"  # folder that keeps embeddings from one run to the next
save_detector = True  # keep a fitted detector beside the results, for `vadlib score`
results_dir = "_build/manual/04_clip_prototypes"  # folder to write the results to

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from myst_nb import glue

from vadlib import networks
from vadlib.data import FrameReader, draw, open_dataset, read_frame
from vadlib.detectors import ClipPrototypes, ZeroShotText, embed_frames
from vadlib.evaluation import (
    auroc_by_group,
    bootstrap_auroc,
    bootstrap_difference,
    bootstrap_roc_band,
    event_of_frames,
    overlap_coefficient,
    summarize,
)
from vadlib.figures import DETECTOR_COLOURS, contact_sheet, density_panels, interval_rows, roc, use_house_style
from vadlib.report import Experiment, load_paper_values, project_path
from vadlib.report.tables import table_of_merit
from vadlib.report.words.common import against_chance, chapter_line, data_note, difference_in_words, network_name
from vadlib.studies.cross_fit import cross_fit, embedded_frames, frames_of

use_house_style()
run = Experiment.from_notebook("04_clip_prototypes", globals())

# %% [markdown]
# ## How it works
#
# :::{margin}
# "K-Means clustering (k=100) applied to image embeddings from each class", "highest cosine similarity to any prototype",
# "mean similarity to k most similar prototypes", "Euclidean distance", "combination of multiple similarity metrics"
# (section 3.3.2). The letter k stands for two things there, and the ensemble's weights are not said.
# :::
#
# CLIP's image tower {cite}`radford2021clip` turns a frame into a vector $z$ of length 1. K-Means turns the labelled vectors of each class
# into {glue:text}`n_prototypes` prototypes $P_\text{normal}$ and $P_\text{abnormal}$. A frame's scores are
#
# $$ \text{max} = \max_{p \in P_\text{abnormal}} z^\top p - \max_{p \in P_\text{normal}} z^\top p, $$
#
# $$ \text{distance} = \min_{p \in P_\text{normal}} \lVert z - p \rVert - \min_{p \in P_\text{abnormal}} \lVert z - p \rVert, $$
#
# `topk`, which is `max` with the mean of the {glue:text}`top_k` best, and `ensemble`, the mean of the three after standardising each by the
# frames fitted on. Only test clips hold anomalous frames, so the labelled frames have to come from them: *which* of them is the
# protocol, and it decides what the number means.

# %% tags=["hide-input", "remove-output"]
videos = open_dataset(
    dataset, project_path(dataset_root), allow_missing=allow_missing, skip_unreadable=skip_unreadable
).with_pictures()
table = videos.frame_table()
testing = {"test_normal": n_test_normal, "test_abnormal": n_test_abnormal, "seed": seed, "n_folds": n_folds}
protocols = list(dict.fromkeys([protocol, "disjoint-clips", "same-clips", "reused-frames"]))
splits = {name: draw(table, name, n_fit_frames_clip, n_fit_frames_clip, **testing) for name in protocols}
one_class_split = draw(table, "official-split", n_fit_frames, 0, **testing)
network = getattr(networks, embedder)(embedder_weights or weights, seed=seed).to(networks.resolve_device(device))
run.record(dataset=videos, weights=network.record.as_dict(), precision=network.precision)
frames = frames_of(table, [*splits.values(), one_class_split])
size = (image_size, image_size)
reader = FrameReader(videos, frames, size, batch_size, skip_unreadable=skip_unreadable, description="embedding")
with run.stage("embed"):
    embedded = embed_frames(network, reader, cache=project_path(cache_dir))
embeddings = pd.DataFrame(embedded, index=frames.index)
timed = FrameReader(videos, splits[protocol].folds[0].test.head(n_timed), size, batch_size, progress=False)
with run.stage("embed without cache"):
    embed_frames(network, timed)
run.record(n_timed=timed.n_frames, n_embedded=len(frames), skipped_in_embedding=int(np.isnan(embedded[:, 0]).sum()))

# %% tags=["hide-input", "remove-output"]
settings = {"top_k": top_k}
scored = {}
for name, split in splits.items():
    with run.stage("fit and score" if name == protocol else f"fit and score, {name}"):
        found, fitted = cross_fit(
            split, lambda: ClipPrototypes(network, n_prototypes, seed, device, **settings), embedded_frames(embeddings)
        )
        scored[name] = table.loc[found.index], {column: found[column].to_numpy() for column in found}, fitted
tested, columns, detectors = scored[protocol]
test_embeddings = embeddings.loc[tested.index].to_numpy()
readable = np.isfinite(test_embeddings[:, 0])
one_class = ClipPrototypes(network, n_prototypes, seed, device, mode="one-class", **settings)
fit_embeddings = embeddings.loc[one_class_split.fit.index].to_numpy()
fit_embeddings = fit_embeddings[np.isfinite(fit_embeddings[:, 0])]
with run.stage("fit and score, one-class"):
    one_class.fit_embeddings(fit_embeddings, np.zeros(len(fit_embeddings), np.int8))
    others = {
        f"one_class_{name}": values for name, values in one_class.score_embeddings(test_embeddings[readable]).items()
    }
if getattr(network, "has_text", False):
    zero_shot = ZeroShotText(network, device=device).fit()
    others["zero_shot"] = zero_shot.score_embeddings(test_embeddings[readable])["zero_shot"]
for name, values in others.items():
    columns[name] = np.full(len(tested), np.nan, np.float32)
    columns[name][readable] = values
scores = run.scores(tested, columns, skipped=np.flatnonzero(~readable))
resampling = {"clusters": scores["clip"], "n_resamples": n_resamples, "seed": seed}
intervals = {name: bootstrap_auroc(scores["label"], scores[name], **resampling) for name in columns}
summaries = {name: summarize(scores, name) for name in columns}
main = intervals["ensemble"]

# %% [markdown]
# ## How well it separates
#
# The paper's Figure 3 shows the distributions of "CLIP anomaly scores" and sees "minimal overlap". {numref}`fig-density-clip` shows all four
# scores with the share of the area that the two densities have in common; for the ensemble it is {glue:text}`overlap`.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-density-clip", "caption": "Kernel density estimates of the four prototype scores (Figure 3 of the paper), normal and anomalous frames of clips that gave no prototype. Overlap: the area that both densities cover."}, "image": {"alt": "Four panels, each with two density curves of scores for normal and anomalous frames"}}
score_names = ("max", "topk", "distance", "ensemble")
overlaps = {name: overlap_coefficient(scores["label"], scores[name]) for name in score_names}
density_figure = density_panels(
    {f"{name}: overlap {overlaps[name]:.0%}": (scores["label"], scores[name], f"{name} score") for name in score_names}
)
run.figure("densities", density_figure, caption="Densities of the four prototype scores (Figure 3 of the paper).")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-roc-clip", "caption": "ROC curves of the prototype ensemble (Figure 4 b of the paper) and of its one-class variant, with 95 % bands from resampling clips."}, "image": {"alt": "Two ROC curves with bands, beside the diagonal of chance"}}
curves = {"Prototypes": "ensemble", "One-class prototypes": "one_class_ensemble"} | (
    {"zero-shot text": "zero_shot"} if "zero_shot" in columns else {}
)
roc_figure = roc(
    {
        title: (
            bootstrap_roc_band(scores["label"], scores[name], **resampling),
            intervals[name],
            DETECTOR_COLOURS[title],
        )
        for title, name in curves.items()
    }
)
run.figure("roc", roc_figure, caption="ROC curves of CLIP prototypes (Figure 4 b of the paper) and of its variants.")

# %% [markdown]
# ## What the protocol is worth
#
# The same frames are tested each time; only where the labelled frames come from differs. With `reused-frames` they are among the test
# frames, with `same-clips` they are other frames of the same clips, often seconds away, and with `disjoint-clips` no clip
# gives both. {numref}`fig-protocols` sets beside them the one-class variant, which sees no label of an anomaly, as PaDiM does not, and
# the text prompts alone, which see no frame at all: "multimodal" is in the paper's abstract, but text is nowhere in its method.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-protocols", "caption": "AUROC of the prototype ensemble by where its labelled frames come from, and of the variants that see no labelled anomaly. Lines: 95 % intervals over clips."}, "image": {"alt": "Dots with intervals: AUROC by protocol"}}
by_protocol = {}
for name, (its_table, its_columns, _) in scored.items():
    known = np.isfinite(its_columns["ensemble"])
    by_protocol[name] = bootstrap_auroc(
        its_table["label"][known],
        its_columns["ensemble"][known],
        clusters=its_table["clip"][known],
        n_resamples=n_resamples,
        seed=seed,
    )
rows = {f"prototypes, {name}": (interval, "Prototypes") for name, interval in by_protocol.items()}
rows["one-class"] = (intervals["one_class_ensemble"], "One-class prototypes")
if "zero_shot" in columns:
    rows["text prompts, zero-shot"] = (intervals["zero_shot"], "zero-shot text")
protocol_rows = pd.DataFrame(
    {
        name: {
            "estimate": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            "colour": DETECTOR_COLOURS[detector],
            "note": f"{interval.estimate:.3f}",
        }
        for name, (interval, detector) in rows.items()
    }
).T
protocols_figure = interval_rows(protocol_rows.astype({"estimate": float, "low": float, "high": float}))
run.figure("protocols", protocols_figure, caption="AUROC of the prototype ensemble by protocol.")

# %% [markdown]
# ## What the ensemble adds
#
# The best single score is {glue:text}`best_single`, and on the same resamples of the clips the ensemble's AUROC minus its own is
# {glue:text}`ensemble_gain`: {glue:text}`ensemble_verdict`.

# %% tags=["hide-input"]
best_single = max(score_names[:3], key=lambda name: intervals[name].estimate)
ensemble_gain = bootstrap_difference(scores["label"], scores["ensemble"], scores[best_single], **resampling)
table_of_merit(intervals, summaries)

# %% [markdown]
# ## What the prototypes are
#
# A prototype is a mean of embeddings, not a picture; {numref}`fig-prototypes` shows the frame nearest to each of the largest clusters.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-prototypes", "caption": "The fitted frames nearest to the largest prototypes of each class (first fold), with the number of frames in their clusters. Outline: the ground truth, where there is one."}, "image": {"alt": "Frames nearest to the largest prototypes: four of normal frames, four of anomalous ones"}}
fold = splits[protocol].folds[0]
fitted = fold.fit[np.isfinite(embeddings.loc[fold.fit.index].iloc[:, 0].to_numpy())]
nearest = pd.concat([detectors[0].prototype_frames(label).nlargest(4, "n_frames") for label in (0, 1)])
prototype_rows = fitted.iloc[nearest["row"]]
prototype_figure = contact_sheet(
    [read_frame(videos, row.clip, row.frame) for row in prototype_rows.itertuples()],
    [
        f"{'anomalous' if row.label else 'normal'}: {size} frames\n{row.clip}, frame {row.frame}"
        for row, size in zip(prototype_rows.itertuples(), nearest["n_frames"], strict=True)
    ],
    masks=[videos.pixel_mask(row.clip, row.frame) if row.label else None for row in prototype_rows.itertuples()],
    n_columns=4,
)
run.figure("prototypes", prototype_figure, caption="Frames nearest to the largest prototypes of each class.")

# %% [markdown]
# ## What it sees and what it misses

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-kinds-clip", "caption": "AUROC of the prototype ensemble for the anomalous frames of each kind of event, or of each clip, against all normal frames. Lines: 95 % intervals over clips; a dot alone comes from a single clip, which has none."}, "image": {"alt": "Dots with intervals: AUROC by kind of event"}}
kinds = event_of_frames(scores, videos.events) if len(videos.events) else scores["clip"].to_numpy()
by_kind = auroc_by_group(scores, "ensemble", kinds, n_resamples=n_resamples, seed=seed)
by_kind["colour"] = DETECTOR_COLOURS["Prototypes"]
by_kind["note"] = [f"{row.n_frames} frames, {row.n_clips} clip(s)" for row in by_kind.itertuples()]
kinds_figure = interval_rows(by_kind)
run.figure("kinds", kinds_figure, caption="AUROC of the prototype ensemble by kind of event, or by clip.")

# %% tags=["remove-cell"]
if save_detector:
    run.attach("detector", detectors[0].save)
fit_labels = np.concatenate([fold.fit["label"].to_numpy() for fold in splits[protocol].folds])
n_fit_each = len(fit_labels) // len(splits[protocol].folds)
n_anomalous_each = int(fit_labels.sum()) // len(splits[protocol].folds)
run.metrics(
    {
        **summaries["ensemble"],
        "micro_auroc_interval": main,
        "overlap": overlaps["ensemble"],
        "overlaps": overlaps,
        "n_fit_frames": n_fit_each,
        "n_fit_anomalous": n_anomalous_each,
        "by_protocol": {name: {"micro_auroc_interval": interval} for name, interval in by_protocol.items()},
        "ensemble_gain": ensemble_gain,
        "n_parameters": network.n_parameters,
        "scores": {name: {"micro_auroc_interval": intervals[name], **summaries[name]} for name in columns},
    }
)
run.save()
glue("protocol", protocol, display=False)
glue("micro_auroc", f"{main:.3f}", display=False)
glue("verdict", against_chance(main), display=False)
glue("reused_auroc", f"{by_protocol['reused-frames']:.3f}", display=False)
glue("one_class_auroc", f"{intervals['one_class_ensemble']:.3f}", display=False)
glue("zero_shot_auroc", f"{intervals['zero_shot']:.3f}" if "zero_shot" in columns else "not measured", display=False)
glue("paper_auroc", f"{load_paper_values()['clip_auroc'].value:.3f}", display=False)
glue("n_prototypes", n_prototypes, display=False)
glue("top_k", top_k, display=False)
glue("overlap", f"{overlaps['ensemble']:.0%}", display=False)
glue("best_single", best_single, display=False)
glue("ensemble_gain", f"{ensemble_gain:+.3f}", display=False)
glue("ensemble_verdict", difference_in_words("the ensemble", best_single, ensemble_gain), display=False)
glue("best_kind", f"{by_kind.index[0]} ({by_kind['estimate'].iloc[0]:.3f})", display=False)
glue("worst_kind", f"{by_kind.index[-1]} ({by_kind['estimate'].iloc[-1]:.3f})", display=False)
glue("data_note", data_note(dataset, network.record, copy=videos), display=False)
glue(
    "chapter_line",
    chapter_line(
        profile=profile,
        dataset=dataset,
        network=network_name(network),
        n_fit=n_fit_each,
        n_test=len(scores),
        seconds=run.seconds,
        date=run.started,
    ),
    display=False,
)

# %% [markdown]
# ## What this shows
#
# - Under {glue:text}`protocol` the ensemble is {glue:text}`verdict`, at {glue:text}`micro_auroc`; with reused frames it is at
#   {glue:text}`reused_auroc`. The frames tested, the network and the method are the same in both.
# - Without labels of anomalies, on the same embeddings, it reaches {glue:text}`one_class_auroc`.
# - It is best at {glue:text}`best_kind` and worst at {glue:text}`worst_kind`.
#
# ## What this does not show
#
# Prototypes see labelled anomalies and the other detectors do not: the paper's ranking is not like for like. [Like for like](24_same_labels)
# gives everybody the same labels.
#
# Downloads: {download}`this chapter's script <../results/04_clip_prototypes/04_clip_prototypes.py>` ·
# {download}`scores <../results/04_clip_prototypes/scores.csv>` ·
# {download}`metrics <../results/04_clip_prototypes/metrics.json>` ·
# {download}`run record <../results/04_clip_prototypes/run.json>` ·
# {download}`Figure 3 as SVG <../results/04_clip_prototypes/figures/densities.svg>`
