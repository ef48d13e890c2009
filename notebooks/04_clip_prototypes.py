# %% [markdown]
# # CLIP prototypes: how near a frame is to what was labelled
#
# **Do prototypes of labelled frames tell anomalous frames from normal ones in clips that they have not seen?** Under
# {glue:text}`protocol` their ensemble has an AUROC of **{glue:text}`micro_auroc`** (95 % over clips), {glue:text}`verdict`;
# where they are made of test frames, {glue:text}`reused_auroc`. The paper has {glue:text}`paper_auroc`, [in clips seen](20_as_run).

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
embedder = "clip_vision:bundled"  # network and weights: clip_vision, resnet18 or efficientnet_lite0 (paper: CLIP)
seed = 0  # of the draw, K-Means, random weights and the bootstrap
image_size = 224  # pixels, height and width of the frames as read
view = "whole"  # part of the frame that is read: whole, centre or inner (see vadlib.data.reading.views)
batch_size = 32  # frames
protocol = "disjoint-clips"  # of labelled frames: disjoint-clips, disjoint-scenes, same-clips or reused-frames
n_fit_labelled = 300  # labelled frames of each class (paper: 2,000)
n_fit_frames = 600  # normal training frames of the one-class variant
n_test_normal: int | None = 600  # normal test frames; None for all (paper: 4,000)
n_test_abnormal: int | None = 600  # anomalous test frames; None for all (paper: 4,000)
n_prototypes = 30  # of each class (paper: 100)
top_k = 5  # prototypes that the topk score averages (paper: not said)
n_folds = 5  # of the cross-fitted protocols
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
cache_dir = "_build/embeddings"  # folder that keeps embeddings from one run to the next
save_detector = True  # keep a fitted detector beside the results, for `vadlib score`
results_dir = "_build/manual/04_clip_prototypes"  # folder to write the results to

# %% [markdown]
# ## How it works
#
# :::{margin}
# "K-Means clustering (k=100)", "highest cosine similarity to any prototype", "mean similarity to k most similar
# prototypes", "Euclidean distance", "combination of multiple similarity metrics" (3.3.2): k is two things here.
# :::
#
# CLIP's image tower {cite}`radford2021clip` turns a frame into a vector $z$ of length 1. K-Means turns the labelled
# vectors of each class into {glue:text}`n_prototypes` prototypes $P_\text{normal}$, $P_\text{abnormal}$. The scores are
#
# $$ \text{max} = \max_{p \in P_\text{abnormal}} z^\top p - \max_{p \in P_\text{normal}} z^\top p, $$
#
# `distance`, the same of $-\lVert z - p \rVert$; `topk`, which is `max` with the mean of the {glue:text}`top_k` best;
# and `ensemble`, the mean of the three after standardising each by the frames fitted on. Only test clips hold anomalous
# frames, so the labelled frames come from them: *which* is the protocol, and it decides what the number means.

# %% tags=["remove-output"]
from vadlib.detectors import ClipPrototypes
from vadlib.report import Chapter
from vadlib.report.words.common import difference_sentence
from vadlib.studies import prototypes

chapter = Chapter("04_clip_prototypes", globals())
videos = chapter.open_dataset()
network = chapter.open_network(embedder)
protocols = dict.fromkeys([protocol, "disjoint-clips", "same-clips", "reused-frames"])
splits = {name: chapter.draw(name, fit_normal=n_fit_labelled, fit_abnormal=n_fit_labelled) for name in protocols}
normal_split = chapter.draw("official-split", fit_normal=n_fit_frames)
embeddings = chapter.embed(network, [*splits.values(), normal_split])
by_protocol = prototypes.score_by_protocol(
    splits, embeddings, lambda: ClipPrototypes(network, n_prototypes, seed, device, top_k=top_k), stage=chapter.stage
)
main = by_protocol[protocol]
one_class = ClipPrototypes(network, n_prototypes, seed, device, mode="one-class", top_k=top_k)
columns = main.columns | prototypes.scores_without_labels(one_class, normal_split, embeddings, main.table, network)
scored = chapter.scores(main.table, columns, detector=main.detectors[0], n_fit=main.n_fit, skipped=main.skipped)
aurocs = {name: found.auroc(n_resamples=n_resamples, seed=seed) for name, found in by_protocol.items()}

# %% [markdown]
# ## How well it separates
#
# The paper's Figure 3 sees "minimal overlap" of "CLIP anomaly scores". {numref}`fig-clip-prototypes-densities` shows
# all four with the share of the area that both classes' densities cover; the ensemble's is {glue:text}`overlap`. Two normal
# curves of one width share {glue:text}`paper_overlap` where the AUROC is the paper's {glue:text}`paper_auroc`.

# %%
chapter.figure(
    "densities",
    scored.draw_densities(columns=("max", "topk", "distance", "ensemble")),
    "Kernel density estimates of the four scores (Figure 3 of the paper). Overlap: the area that both densities cover.",
    alt="Four panels, each with two density curves of scores for normal and anomalous frames",
)

# %%
chapter.figure(
    "roc",
    scored.draw_roc(prototypes.variants(scored.columns)),
    "ROC curves of the prototype ensemble (Figure 4 b of the paper) and of its variants, with 95 % bands over clips.",
    alt="ROC curves with bands, beside the diagonal of chance",
)

# %% [markdown]
# ## What the protocol is worth
#
# The same frames are tested each time; only where the labelled frames come from differs: with `reused-frames` they are
# among the test frames, with `same-clips` in the same clips, often seconds away, with `disjoint-clips` no clip gives
# both. {numref}`fig-clip-prototypes-protocols` has beside them the one-class variant, which sees no labelled anomaly,
# and text prompts, which see no frame at all: the abstract's "multimodal" is nowhere in the paper's method.

# %%
chapter.figure(
    "protocols",
    prototypes.draw_protocols(aurocs, scored.intervals),
    "AUROC of the ensemble by where its labelled frames come from, and of variants that see none; 95 % over clips.",
    alt="Dots with intervals: AUROC by protocol",
)

# %% [markdown]
# ## What the ensemble adds, what its prototypes are, and what it sees
#
# The best single score is {glue:text}`best_single`, and on the same resamples of the clips the ensemble's AUROC minus
# its own is {glue:text}`ensemble_gain`: {glue:text}`ensemble_verdict`. A prototype is a mean of embeddings, not a
# picture; {numref}`fig-clip-prototypes-nearest` shows the frames nearest to the largest.

# %%
best_single = max(("max", "topk", "distance"), key=lambda name: scored.intervals[name].estimate)
gain = scored.difference("ensemble", best_single)
verdict = difference_sentence("the ensemble", best_single, gain)
chapter.say(best_single=best_single, ensemble_gain=f"{gain:+.3f}", ensemble_verdict=verdict)
scored.merits()

# %%
chapter.figure(
    "nearest",
    prototypes.draw_prototypes(main, embeddings, videos),
    "Fitted frames nearest to the largest prototypes of each class (first fold), with the sizes of their clusters.",
    alt="Frames nearest to the largest prototypes: four of normal frames, four of anomalous ones",
)

# %%
scored.show_kinds()

# %% tags=["remove-cell"]
chapter.say(reused_auroc=aurocs["reused-frames"], auroc_zero_shot=scored.intervals.get("zero_shot"))
more = {"ensemble_gain": gain, "overlaps": scored.overlaps, "n_fit_anomalous": main.n_fit_anomalous}
more |= {"by_protocol": {name: {"micro_auroc_interval": found} for name, found in aurocs.items()}}
chapter.close(scored, detectors=prototypes.variants(columns), **more)

# %% [markdown]
# ## What this shows
#
# - Under {glue:text}`protocol` the ensemble is {glue:text}`verdict`, at {glue:text}`micro_auroc`; with reused frames, all
#   else the same, at {glue:text}`reused_auroc`; without labelled anomalies at {glue:text}`auroc_one_class_ensemble`.
# - It is best at {glue:text}`best_kind` and worst at {glue:text}`worst_kind`.
#
# ## What this does not show
#
# Prototypes see labelled anomalies, the other detectors none; [the same labels for all](24_same_labels) mends that.
