# %% [markdown]
# # What the network is worth
#
# **How much of a detector's result is its network's?** Every detector is fitted on the same frames and scored on the same
# frames, and only the network changes: its weights, the layers that are read, the size of the picture.
# {glue:text}`trained_sentence` The draws are smaller than in the detectors' own chapters ({glue:text}`n_frames`), so the
# numbers differ from theirs.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18:bundled"  # network of PaDiM in this report, which layers and sizes are tried on
compared_networks = ["resnet18:random", "resnet18:bundled", "resnet18:imagenet"]  # where layers are read
compared_embedders = ["clip_vision:random", "clip_vision:bundled", "clip_vision:openai"]  # where embeddings are read
compared_everywhere = ["resnet18:bundled", "efficientnet_lite0:imagenet"]  # what is not on this machine is named
compared_layers = ["layer1", "layer2", "layer3", "layer1 layer2 layer3"]  # that PaDiM reads (paper: the last)
compared_sizes = [112, 224]  # pixels, height and width of PaDiM's frames (paper: 224)
image_size = 224  # pixels, where the size is not what is compared
seed = 0  # of the draw, reductions, K-Means, random weights and the bootstrap
batch_size = 32  # frames
n_fit_frames = 60  # normal training frames of every setting
n_fit_labelled = 60  # labelled frames of each class, from other clips than the tested ones
n_test_normal: int | None = 80  # normal test frames; None for all
n_test_abnormal: int | None = 80  # anomalous test frames; None for all
n_components = 100  # dimensions that PaDiM keeps
n_prototypes = 20  # of each class
n_neighbours = 10  # normal frames that SPADE compares with
n_folds = 3  # of clips, of the cross-fitted prototypes
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
results_dir = "_build/manual/28_networks"  # folder to write the results to

# %% tags=["remove-output"]
from vadlib.figures import interval_rows
from vadlib.report import Chapter
from vadlib.report.study_tables import merit_rows, networks_table
from vadlib.report.words.studies import trained_sentence, undecided_sentence
from vadlib.studies import networks as study
from vadlib.studies.runner import compare_trials

chapter = Chapter("28_networks", globals())
videos = chapter.open_dataset()
normal = chapter.draw("official-split", fit_normal=n_fit_frames)
labelled = chapter.draw("disjoint-clips", fit_normal=n_fit_labelled, fit_abnormal=n_fit_labelled)
runner = chapter.runner(normal, labelled)
taken = {"backbone": [backbone, *compared_networks], "embedder": compared_embedders}
taken = {role: [*names, *compared_everywhere] for role, names in taken.items()}
by_network, left_out = study.network_trials(runner, taken, image_size, vars(chapter.given))
own = by_network[f"PaDiM, {backbone}"]
by_layers, by_size = study.layer_trials(own, compared_layers), study.size_trials(own, compared_sizes)
with chapter.stage("trials"):
    scored = chapter.run_specs({**by_network, **by_layers, **by_size})
scores, comparing = scored.table, {"n_resamples": n_resamples, "seed": seed}
kinds = study.kinds_of_anomaly(scores, videos)

# %% [markdown]
# ## Networks
#
# `random` is the same architecture before any training, which trained weights have to beat to be worth their training.
# `bundled` is what comes with this project, trained on synthetic pictures of other places than the demo's.
# {numref}`fig-networks-networks` has every pairing. The table adds the difference from the same detector with random
# weights of the same architecture, on the same resamples of the clips. Where the data set names its events it splits the
# anomalies: some look strange in a single picture, others only move strangely, and nothing here sees motion, so the
# second column should be near 0.5 whatever the network.

# %%
merit = compare_trials(scores, study.random_bases(by_network), **comparing)
chapter.figure(
    "networks",
    interval_rows(merit_rows(merit, by_network)),
    "AUROC of each detector by the network under it (architecture:weights), on the same test frames. Lines: 95 % intervals "
    "over clips.",
    alt="Dots with intervals: AUROC of each detector with each network",
)

# %%
study.table_of_trials(merit, scores, kinds, **comparing)

# %% [markdown]
# {glue:text}`left_out`
#
# {glue:text}`undecided` Two things stand between training and a higher AUROC. Where nothing in a single picture is
# unusual, no weights help, and frames of motion alone dilute the gain. And a network can know something else than what is
# asked of it: by its model card, the bundled CLIP names the kind of place it sees far more often than what happens there,
# so that its embeddings tell scenes apart first, and Grad-CAM + SSIM compares where a classifier looks, not what it finds.
# The gains, apart for each kind of anomaly where the data set names them:

# %%
by_kind = study.gains_by_kind(scores, kinds, study.random_bases(by_network), **comparing)
by_kind.map("{:+.3f}".format).add_prefix("gain over random weights, ").style

# %% [markdown]
# ## Layers, and the size of the picture
#
# PaDiM on {glue:text}`own` again, reading one layer at a time. Early layers know edges and colours at a fine grid, late
# ones shapes at a coarse grid; the paper joins the first three. It says 224 pixels: videos are larger, and a person far
# away is a few pixels tall at that size; a smaller picture costs less.

# %%
layer_merit = compare_trials(scores, dict.fromkeys(by_layers, f"PaDiM, {compared_layers[-1]}"), **comparing)
study.table_of_trials(layer_merit, scores, kinds, against=f"gain over {compared_layers[-1]}", **comparing)

# %%
size_merit = compare_trials(scores, dict.fromkeys(by_size, f"PaDiM, {image_size} px"), **comparing)
study.table_of_trials(size_merit, scores, kinds, against=f"gain over {image_size} px", **comparing)

# %% [markdown]
# ## Weights
#
# Every network tried. `vadlib weights` lists where each comes from, its licence, and where it is kept.

# %%
networks_table(runner)

# %% tags=["remove-cell"]
trials = {name: row for part in (merit, layer_merit, size_merit) for name, row in part.to_dict("index").items()}
best_layers, best_size = layer_merit["estimate"].idxmax(), size_merit["estimate"].idxmax()
lacking = "; ".join(f"{name} ({reason})" for name, reason in left_out.items())
chapter.say(
    trained_sentence=trained_sentence(merit, by_network),
    undecided=undecided_sentence(merit, by_kind, by_network),
    left_out=f"Left out: {lacking}." if left_out else "Nothing was left out.",
    own=backbone if len(backbone) < 40 else backbone.split(":")[0],
    n_frames=f"{n_fit_frames} frames fitted, {len(scored)} tested",
    own_layers_auroc=layer_merit["estimate"].iloc[-1],
    best_layers=best_layers.partition(", ")[2],
    best_layers_auroc=layer_merit.loc[best_layers, "estimate"],
    best_size=best_size.partition(", ")[2],
    best_size_auroc=size_merit.loc[best_size, "estimate"],
)
chapter.close(n_frames=len(scored), n_fit_frames=n_fit_frames, left_out=left_out, gains_by_kind=by_kind, trials=trials)

# %% [markdown]
# ## What this shows
#
# - {glue:text}`trained_sentence`
# - Read one at a time or together, the layers with the highest AUROC are {glue:text}`best_layers`, at
#   {glue:text}`best_layers_auroc`; the paper's three reach {glue:text}`own_layers_auroc`.
# - Of the picture sizes, {glue:text}`best_size` has the highest AUROC, {glue:text}`best_size_auroc`.
#
# ## What this does not show
#
# A highest value picked from several on the test frames is an optimistic one; the intervals of the gains say which choices
# these clips can tell apart at all.
