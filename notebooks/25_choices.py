# %% [markdown]
# # Which unstated choice matters most?
#
# **What the paper does not say, somebody who repeats it has to choose. How much does it matter?** Here each such thing is
# varied alone, every setting is fitted and scored on the same frames, and its AUROC is set against the default's on the
# same resamples of the clips. {glue:text}`most_important`

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18:bundled"  # network of PaDiM and SPADE, and its weights: imagenet, bundled, random, or a file
classifier = "resnet18:bundled"  # of Grad-CAM + SSIM
embedder = "clip_vision:bundled"  # of the prototypes
image_size = 224  # pixels, height and width of the frames, where the size is not what is varied
seed = 0  # of the draw, reductions, K-Means, random weights and the bootstrap
batch_size = 32  # frames
protocol = "disjoint-clips"  # where labelled frames come from: any of vadlib.data.sampling but official-split
n_fit_frames = 60  # normal training frames of every setting
n_fit_labelled = 60  # labelled frames of each class, in each fold
n_test_normal: int | None = 80  # normal test frames; None for all
n_test_abnormal: int | None = 80  # anomalous test frames; None for all
n_components = 100  # dimensions that PaDiM keeps (paper: 300)
n_prototypes = 20  # of each class (paper: 100)
n_neighbours = 10  # normal frames that SPADE compares with
varied: dict | None = None  # values to try instead of a detector's own list, by its title and option
n_folds = 3  # of clips, of the cross-fitted prototypes
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
results_dir = "_build/manual/25_choices"  # folder to write the results to

# %% [markdown]
# ## What is varied
#
# The defaults are this report's, as the detectors' chapters have them, on smaller draws ({glue:text}`n_frames`). PaDiM's
# heatmap can be read by its maximum, its mean or its top 1 %; its features projected or selected; Grad-CAM can explain
# each frame's most likely class or one class for all, and its maps can be compared coarse or fine; the prototypes' three
# scores can be weighted in any way. The paper gives a number for some of these (dimensions, layers) and none for the
# rest. {glue:text}`commonest_sentence` Prototypes of one class are fitted on the normal frames that PaDiM is fitted on,
# from training clips; prototypes of both classes on labelled frames of test clips ({glue:text}`protocol`).

# %% tags=["remove-output"]
import pandas as pd

from vadlib.detectors.catalogue import FITTED
from vadlib.figures import effect_rows, interval_rows, span_rows
from vadlib.report import Chapter
from vadlib.report.records.recorded import recorded_or_none
from vadlib.report.study_tables import effect_table, merit_rows, span_table, table_of_choices
from vadlib.report.words.common import network_name
from vadlib.report.words.studies import effects_words
from vadlib.studies.ablation import ablation_settings, rank_choices, variations
from vadlib.studies.runner import compare_trials, default_specs

chapter = Chapter("25_choices", globals())
chapter.open_dataset()
normal = chapter.draw("official-split", fit_normal=n_fit_frames)
labelled = chapter.draw(protocol, fit_normal=n_fit_labelled, fit_abnormal=n_fit_labelled)
runner = chapter.runner(normal, labelled)
networks = {"backbone": backbone, "classifier": classifier, "embedder": embedder}
defaults = default_specs(networks, image_size, vars(chapter.given), learns_from=FITTED, variants=False)
with chapter.stage("trials"):
    commonest = runner.commonest_class(classifier, image_size)
    settings = ablation_settings(defaults, variations(defaults, varied or {}, commonest))
    scored = chapter.run_specs({name: setting.trial for name, setting in settings.items()})
comparing = {"n_resamples": n_resamples, "seed": seed}
with chapter.stage("intervals"):
    merit = compare_trials(scored.table, {name: setting.base for name, setting in settings.items()}, **comparing)
    ranked = rank_choices(scored.table, settings, merit, **comparing)

# %% [markdown]
# ## How far each choice moves the number
#
# {numref}`fig-choices-spans` ranks the choices by the range of AUROC between their settings. {glue:text}`luck_sentence` A
# choice whose range is no wider than that is one that these frames say nothing about.

# %%
chapter.figure(
    "spans",
    span_rows(span_table(ranked, settings, merit)),
    "AUROC under each setting of each choice, widest range first. Large dot: the report's default; strokes: the settings; "
    "at the right the range. Colours are the detectors'.",
    alt="Horizontal lines, one a choice, from the lowest to the highest AUROC of its settings, sorted by length",
)

# %% [markdown]
# The table, folded, has the best and the worst setting of each choice, the difference between them on the same resamples
# of the clips, and the same interval corrected for having picked the two out of every pair of settings (Bonferroni).

# %% tags=["hide-cell"]
table_of_choices(ranked.to_dict("records"), settings)

# %% [markdown]
# ## The effect of each setting
#
# {glue:text}`beyond_chance`. {numref}`fig-choices-effects` has all of them; {numref}`fig-choices-defaults` what they are
# measured against.

# %%
chapter.figure(
    "effects",
    effect_rows(effect_table(merit, settings)),
    "Effect of each choice: AUROC of each setting minus that of its detector's default, on the same test frames. Lines: "
    "95 % intervals over clips, paired; filled dots: the interval leaves out zero. At the right the setting's own AUROC.",
    alt="Forest of dots with intervals around zero: the gain of each setting over the default, grouped by detector",
)

# %%
chapter.figure(
    "defaults",
    interval_rows(merit_rows(merit.loc[list(defaults)], settings)),
    "AUROC of the detectors with the report's defaults, on the same test frames. Lines: 95 % intervals over clips.",
    alt="Dots with intervals: AUROC of the detectors' defaults",
)

# %% [markdown]
# ## The same on real data
#
# {glue:text}`recorded_sentence`

# %%
record = recorded_or_none("ped2-offline-25_choices")
table_of_choices(record.metrics["choices"] if record else ranked.to_dict("records"), n=5)

# %% tags=["remove-cell"]
chapter.say(protocol=protocol, **effects_words(ranked, settings, merit, commonest=commonest, record=record))
chapter.say(n_frames=f"{n_fit_frames} frames fitted, {len(scored)} tested")
facts = [(s.detector, network_name(runner.network(s.trial.network)), s.choice, s.value) for s in settings.values()]
trials = pd.DataFrame(facts, list(settings), ["detector", "network", "choice", "value"]).join(merit)
chapter.close(scored, trials=trials, choices=ranked.to_dict("records"), commonest_class=commonest)

# %% [markdown]
# ## What this shows
#
# - {glue:text}`most_important`
# - The defaults themselves are {glue:text}`detector_range` apart, and the settings of that one choice
#   {glue:text}`widest_range`: the first is to be read beside the second.
# - {glue:text}`beyond_chance`.
# - {glue:text}`luck_sentence`
#
# ## What this does not show
#
# One thing varies at a time, so nothing here says what two of them do together. The best setting is the best on these
# test frames; to pick it and then report its AUROC on the same frames would be the very thing that this chapter warns of.
# The draws are small, for the sake of {glue:text}`n_settings` settings, and the intervals say what that costs.
