# %% [markdown]
# # ShanghaiTech itself
#
# **Where does the paper's {glue:text}`stated` come from, and what is left of it on clips that were not seen?** Run as its author ran it, the paper's procedure gets
# {glue:text}`as_run` on the words of a captioning model. On clips that it was not fitted on it gets {glue:text}`as_run_other_clips`. {glue:text}`bar`
#
# All of this is measured on the test clips of the paper's own data set, from tables that others published of them ({ref}`listed below <published-tables>`).
# No video was read. An interval resamples clips and keeps the fitted detector, unless it is said to be over frames.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # shanghaitech-published: measure anew; any other: show what was recorded
dataset_root = "_build/demo/data"  # its folder
n_seeds = 5  # of draws and detectors; the first is judged in full
n_fit_captions = 2000  # frames of each class to fit prototypes on, as the paper describes them (paper: 2,000)
n_test_captions = 4000  # frames of each class to test these on (paper: 4,000)
n_fit_as_run = 1400  # frames of each class to fit on, as run (its notebook: 70 % of 2,000)
n_test_as_run = 600  # frames of each class to test on, as run
mean_frames = 25  # frames over which scores are averaged in time, where they are: about a second
square_px = 64  # side of the squares that are people's places, pixels
n_splits = 200  # of the author's arrays into halves
n_resamples = 1000  # of the bootstrap over clips
skip_unreadable = False  # a table is read whole or not at all
allow_missing = False  # no table may be missing
results_dir = "_build/manual/29_shanghaitech"  # folder to write the results to

# %% tags=["remove-output"]
import pandas as pd

from vadlib.detectors import catalogue
from vadlib.figures import NORMAL, interval_rows, roc
from vadlib.report import Chapter, stated_aurocs
from vadlib.report.tables import grouped_rows, pairs_table, stated_lines
from vadlib.report.words import published as words
from vadlib.runs.results import plain
from vadlib.studies.published_scores import curve_band
from vadlib.studies.shanghaitech import measure_published_tables

chapter = Chapter("29_shanghaitech", globals())
if dataset == "shanghaitech-published":
    sizes = {
        "n_fit": n_fit_captions,
        "n_test": n_test_captions,
        "n_fit_as_run": n_fit_as_run,
        "n_test_as_run": n_test_as_run,
    }
    sizes |= {"mean_frames": mean_frames, "square_px": square_px, "n_splits": n_splits, "n_resamples": n_resamples}
    tables = chapter.open_dataset(labels_alone=True)
    found = plain(measure_published_tables(tables, seeds=range(n_seeds), **sizes, stage=chapter.stage), "found")
else:
    found = chapter.show_record("shanghaitech-published-29_shanghaitech").metrics
groups, stated = words.answer_groups(found), stated_aurocs()
colours = {title: catalogue.entry(title).colour for title in ("PaDiM", "Prototypes")}
of_captions = [label for heading, group in groups.items() if heading.startswith("captions") for label in group]
shades = colours | dict.fromkeys(of_captions, colours["Prototypes"])
shades |= dict.fromkeys(groups["fitted on normal clips alone"], NORMAL)

# %% [markdown]
# ## The answer in one figure
#
# The first group is the author's own record, scored again. The next two are the paper's procedure on captions: a vision-language model's words for each
# frame stand for CLIP's vector of it, which is not to be had here. Both learn from labelled frames of test clips, as the paper's did. Then come scores
# that learn from normal clips alone, on all {glue:text}`n_frames` test frames, and last scores that look at no picture.

# %%
chapter.figure(
    "forest",
    interval_rows(grouped_rows(groups, shades), references=stated_lines({"Prototypes": stated["Prototypes"]})),
    "AUROC on ShanghaiTech's test clips, with 95 % intervals. A protocol says where the fitted frames come from: the "
    "tested frames themselves, other frames of the tested clips, other clips, or other cameras.",
    alt="Dots with intervals in five groups, beside a line for the paper's 0.797 and one for chance",
)

# %% [markdown]
# ## Captions: the paper's procedure on words
#
# A caption ({cite}`yang2024rules`) becomes 128 numbers by the words and pairs of words in it (TF-IDF and SVD, of the fitted captions alone); the detectors are this report's own.
# The author's notebook drew frames of the test clips and split them *by frame*, so that a tested frame has fitted neighbours. Its prototypes are the frames
# nearest to 100 centres. It weighs four scores by the best of 1,296 combinations on the tested frames. The row `as run, same-clips` does all of that:
# {glue:text}`as_run`, {glue:text}`as_run_standing`. The best of its scores by prototypes gets {glue:text}`best_single_as_run`.
#
# The rows below it test the same frames. Without other frames of the tested clips to fit on, {glue:text}`lost_as_run` is lost. As the paper
# describes the detector, with more frames and no mean over all prototypes, {glue:text}`lost_as_described` is. That mean needs no cluster and holds up better on
# other clips ({glue:text}`mean_other_clips`) than the nearest prototype ({glue:text}`max_other_clips`). Weights that were chosen on other clips give
# {glue:text}`weights_elsewhere`. Where fitted and tested clips are the same, neither interval says what other clips would give.

# %%
words.captions_table(found)

# %% [markdown]
# ## What published methods get, and how far a tracker goes
#
# STG-NF {cite}`hirschorn2023stgnf` looks at poses, AI-VAD {cite}`reiss2022attribute` at velocity, pose and deep features. The speed of tracked people is
# measured here: heights of the person per frame, over the 95 % quantile of the speeds at that place in {glue:text}`n_train_clips` training clips; the
# fastest person of a frame counts, averaged over {glue:text}`mean_frames` frames. With one limit a scene it gets {glue:text}`by_scene`; by place, but not averaged,
# {glue:text}`not_averaged`. In {glue:text}`no_people` of the test frames nobody is tracked, and the score is 0. {glue:text}`still_frames`. On the same clips,
# {glue:text}`pairs`.

# %%
pairs_table(words.compared_titles(found))

# %% [markdown]
# ## The author's own arrays
#
# The author published the scores behind the paper, which makes it checkable: {glue:text}`padim_frames` for PaDiM on {glue:text}`n_padim` frames, and {glue:text}`fused_frames` for the
# ensemble on {glue:text}`n_fused`, of another run than the one in the paper. The frames are not named, so only frames can be resampled. That is too narrow: on captions,
# in the same design, the interval over clips is {glue:text}`width_ratio` times as wide. The grid's best weights on all of them give {glue:text}`weights_all`.
# Chosen on one half of them, they give {glue:text}`judged_on` on the other, and the best single score {glue:text}`best_single`. What the half that chose has
# more than the other is {glue:text}`optimism`: choosing weights on the tested frames hardly moves the number.

# %%
by_frames = zip(colours, ("padim", "fused_score"), *[groups[next(iter(groups))].values()], strict=True)
curves = {title: (curve_band(found["paper"][name]["curve"]), auc, colours[title]) for title, name, auc in by_frames}
chapter.figure(
    "arrays",
    roc(curves),
    "ROC curves of the scores that the paper's author published. Their intervals take frames as independent.",
    alt="Two ROC curves: PaDiM's a little above the diagonal, that of the prototypes well above it",
)

# %% [markdown]
# (published-tables)=
# ## What was read
#
# None of these tables is in this project: only figures that were computed from them are.

# %%
sources = pd.DataFrame.from_dict(found["sources"], orient="index")
sources.assign(sha256=sources["sha256"].str[:16] + "…")

# %% tags=["remove-cell"]
chapter.say(**words.shanghaitech_sentences(found, stated["Prototypes"]))
chapter.close(**found)

# %% [markdown]
# ## What this does not show
#
# What CLIP gets on clips that were not seen: captions are another model's words. What carries over is the procedure, and what the split by frame adds
# to it. What is found of each kind of event is [on the next page](29_event_kinds).
