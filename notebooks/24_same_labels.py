# %% [markdown]
# # Like for like: the same labels for everybody
#
# **Are prototypes the better method, or are they only told more?** In the paper PaDiM and Grad-CAM + SSIM never see an anomaly, and the prototypes
# see as many labelled anomalous frames as normal ones. Here all see the same, both ways: nobody a label, then everybody the same labelled frames.
# {glue:text}`verdict`

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18:bundled"  # network of PaDiM and SPADE, and its weights: imagenet, bundled, random, or a file
classifier = "resnet18:bundled"  # of Grad-CAM + SSIM
embedder = "clip_vision:bundled"  # of the prototypes
image_size = 224  # pixels, height and width of the frames as read
seed = 0  # of the draw, reductions, K-Means, random weights and the bootstrap
batch_size = 32  # frames
protocol = "disjoint-clips"  # where labelled frames come from: any of vadlib.data.sampling but official-split
n_fit_frames = 80  # normal training frames of the detectors that see no anomaly
n_fit_labelled = 80  # labelled frames of each class, in each fold, for all that see labels
n_test_normal: int | None = 100  # normal test frames; None for all
n_test_abnormal: int | None = 100  # anomalous test frames; None for all
n_components = 100  # dimensions that PaDiM keeps (paper: 300)
n_prototypes = 20  # of each class (paper: 100)
n_neighbours = 10  # normal frames that SPADE compares with
headed = ["PaDiM", "Grad-CAM + SSIM", "Prototypes"]  # given labels by a logistic head; the prototypes' embeddings too
head_grid = 4  # cells along each side of a heatmap that the head sees
head_inverse_regularisation = 0.1  # scikit-learn's C; not tuned
n_folds = 3  # of clips, cross-fitted
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
results_dir = "_build/manual/24_same_labels"  # folder to write the results to

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

# %% tags=["remove-output"]
import pandas as pd

from vadlib.detectors import catalogue
from vadlib.figures import interval_rows
from vadlib.report import Chapter
from vadlib.report.tables import grouped_rows, pairs_table
from vadlib.report.words.common import difference_sentence
from vadlib.report.words.studies import prototypes_sentence, ranking_sentence
from vadlib.studies.runner import default_specs
from vadlib.studies.supervision import NOBODY, SAME_FOR_ALL, specs_by_supervision, without_labels

chapter = Chapter("24_same_labels", globals())
chapter.open_dataset()
normal = chapter.draw("official-split", fit_normal=n_fit_frames)
labelled = chapter.draw(protocol, fit_normal=n_fit_labelled, fit_abnormal=n_fit_labelled)
runner = chapter.runner(normal, labelled)
networks = {"backbone": backbone, "classifier": classifier, "embedder": embedder}
head = {"grid": head_grid, "inverse_regularisation": head_inverse_regularisation}
defaults = default_specs(networks, image_size, vars(chapter.given), learns_from=catalogue.FITTED, variants=False)
by_supervision = specs_by_supervision(defaults, dict.fromkeys(headed, head))
specs = {name: spec for group in by_supervision.values() for name, spec in group.items()}
with chapter.stage("trials"):
    scored = chapter.run_specs(specs)
aurocs = {seen: {name: scored.intervals[name] for name in group} for seen, group in by_supervision.items()}
comparisons = {seen: scored.compare(group) for seen, group in by_supervision.items()}

# %% [markdown]
# ## The two rankings

# %%
headings = {NOBODY: "nobody sees a label", SAME_FOR_ALL: "everybody sees the same labels"}
colours = {name: catalogue.entry(spec.detector).colour for name, spec in specs.items()}
chapter.figure(
    "rankings",
    interval_rows(grouped_rows({headings[seen]: group for seen, group in aurocs.items()}, colours)),
    "AUROC on the same test frames when nobody has seen a labelled anomaly (above) and when everybody has seen the same "
    "labelled frames (below). Lines: 95 % intervals over clips.",
    alt="Two groups of dots with intervals: AUROC of each detector without labels and with the same labels for all",
)

# %% [markdown]
# Every pair of detectors that see the same, as the difference of their AUROCs on the same resamples of the clips:

# %%
pd.concat({seen: pairs_table(found) for seen, found in comparisons.items()}, names=["what all see"])

# %% [markdown]
# ## What the labels are worth
#
# The same detector with and without: where its interval leaves out zero, the labels moved the number, and not the method. (The prototypes'
# normal frames change with it, from training clips to labelled ones of test clips.)

# %%
worth = {name: scored.difference(name, without) for name, without in without_labels(by_supervision).items()}
pd.DataFrame({name: {"AUROC gained by labels [95 %]": f"{gain:+.3f}"} for name, gain in worth.items()}).T

# %% tags=["remove-cell"]
prototypes = {NOBODY: "One-class prototypes", SAME_FOR_ALL: "Prototypes"}
crossed, even = (scored.difference(name, "PaDiM") for name in ("Prototypes", "One-class prototypes"))
largest = max(worth, key=lambda name: worth[name].estimate)
chapter.say(
    verdict=prototypes_sentence(prototypes, aurocs, comparisons),
    ranking_without=ranking_sentence(aurocs[NOBODY], comparisons[NOBODY]),
    ranking_with=ranking_sentence(aurocs[SAME_FOR_ALL], comparisons[SAME_FOR_ALL]),
    crossed=f"{crossed:+.3f}",
    crossed_words=difference_sentence("the prototypes", "PaDiM", crossed),
    even=f"{even:+.3f}",
    even_words=difference_sentence("the one-class prototypes", "PaDiM", even),
    largest=f"{largest} ({worth[largest]:+.3f})",
    n_labelled=f"{n_fit_labelled} + {n_fit_labelled}",
    n_features=3 + 2 * head_grid**2,
    head_grid=f"{head_grid}x{head_grid}",
)
pairs = {seen: found.to_dict("records") for seen, found in comparisons.items()}
chapter.close(scored, seen={name: seen for seen in aurocs for name in aurocs[seen]}, pairs=pairs, worth_of_labels=worth)

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
