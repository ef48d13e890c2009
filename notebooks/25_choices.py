# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which unstated choice matters most?
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **What the paper does not say, somebody who repeats it has to choose. How much does it matter?** Here each such thing is varied alone, every
# setting is fitted and scored on the same frames, and its AUROC is set against the default's on the same resamples of the clips.
# {glue:text}`most_important`

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18"  # network of PaDiM
classifier = "resnet18"  # network of Grad-CAM + SSIM
embedder = "clip_vision"  # network of the prototypes
weights = "bundled"  # of the report's networks: imagenet, bundled, random, or a file
classifier_weights: str | None = None  # of the classifier; None: the same as weights
embedder_weights: str | None = None  # of the embedder; None: the same as weights
image_size = 224  # pixels, height and width of the frames, where the size is not what is varied
seed = 0  # of the draw, reductions, K-Means, random weights and the bootstrap
batch_size = 32  # frames
protocol = "disjoint-clips"  # where labelled frames come from: any of vadlib.data.sampling but official-split
n_fit_ablated = 60  # normal training frames of every setting
n_fit_ablated_clip = 60  # labelled frames of each class, in each fold
n_test_ablated: int | None = 80  # test frames of each class; None for all
n_components_ablated = 100  # dimensions that PaDiM keeps (paper: 300)
n_prototypes_ablated = 20  # of each class (paper: 100)
padim_scores = ["mean", "top1%"]  # of the heatmap, beside its maximum (paper: not said)
padim_reductions = ["select", "dense"]  # beside a projection of each layer
padim_components = [20, 50, 200]  # dimensions kept
padim_layers = ["layer1", "layer2", "layer3", "layer2 layer3"]  # beside all three
padim_sizes = [112, 160]  # pixels, height and width of the frames
padim_epsilons = [0.0001, 0.001, 0.1, 1.0]  # on the covariances' diagonals, beside 0.01
padim_sigmas = [0.0, 8.0]  # pixels, blur of the heatmap, beside 4
padim_fit_counts = [15, 30]  # normal frames fitted on
padim_seeds = [1, 2, 3, 4]  # of the projection alone: a yardstick for all the others
gradcam_targets = ["commonest"]  # class explained, beside each frame's top-1: a number, or the normal frames' commonest
gradcam_layers = ["layer2", "layer3", "layer4", "layer3 layer4"]  # beside layer2, layer3 and layer4
gradcam_references = ["scene"]  # mean map of each scene, beside one of the data set
gradcam_map_sizes = [28, 56, 112]  # pixels a side at which maps are compared, beside the frames' own
gradcam_sizes = [112]  # pixels, height and width of the frames
gradcam_fit_counts = [15, 30]  # normal frames in the mean map
prototype_counts = [5, 10, 40]  # of each class
prototype_top_ks = [2, 10, 20]  # prototypes that the topk score averages, beside 5
prototype_scores = ["max", "topk", "distance"]  # single ones, beside their ensemble
prototype_weights = ["2 1 1", "1 2 1", "1 1 2"]  # of max, topk and distance in the ensemble, beside equal ones
prototype_views = ["centre"]  # part of the frame that is seen, beside the whole; CLIP's own transform keeps the centre
prototype_modes = ["one-class"]  # prototypes of normal frames only, beside prototypes of both classes
prototype_seeds = [1, 2, 3, 4]  # of K-Means alone: a yardstick for all the others
n_folds = 3  # of clips, of the cross-fitted prototypes
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
results_dir = "_build/manual/25_choices"  # folder to write the results to

# %% tags=["hide-input"]
import numpy as np
from myst_nb import glue

from vadlib.data import draw, open_dataset
from vadlib.figures import DETECTOR_COLOURS, effect_rows, interval_rows, span_rows, use_house_style
from vadlib.report import Experiment, project_path
from vadlib.report.records.recorded import recorded_or_none
from vadlib.report.words.ablation import (
    beyond_chance,
    default_table,
    effect_of_choice,
    effect_table,
    luck_in_words,
    most_important,
    recorded_choices,
    span_table,
    table_of_choices,
)
from vadlib.report.words.common import chapter_line, data_note, network_name
from vadlib.runs.results import plain
from vadlib.studies.ablation import LUCK, ablation_settings, rank_choices
from vadlib.studies.runner import DetectorRunner, DetectorSpec, compare_trials, main_scores

use_house_style()
run = Experiment.from_notebook("25_choices", globals())

# %% tags=["hide-input", "remove-output"]
videos = open_dataset(
    dataset, project_path(dataset_root), allow_missing=allow_missing, skip_unreadable=skip_unreadable
).with_pictures()
table = videos.frame_table()
testing = {"test_normal": n_test_ablated, "test_abnormal": n_test_ablated, "seed": seed, "n_folds": n_folds}
trials = DetectorRunner(
    videos,
    draw(table, "official-split", n_fit_ablated, 0, **testing),
    draw(table, protocol, n_fit_ablated_clip, n_fit_ablated_clip, **testing),
    batch_size=batch_size,
    seed=seed,
    device=device,
    skip_unreadable=skip_unreadable,
)
networks = {
    "PaDiM": f"{backbone}:{weights}",
    "Grad-CAM + SSIM": f"{classifier}:{classifier_weights or weights}",
    "Prototypes": f"{embedder}:{embedder_weights or weights}",
}
own = trials.network(networks["PaDiM"])
run.record(dataset=videos, weights=own.record.as_dict(), precision=own.precision)

# %% [markdown]
# ## What is varied
#
# The defaults are this report's, as the detectors' chapters have them, on smaller draws ({glue:text}`n_frames`). PaDiM's heatmap can be read by its
# maximum, its mean or its top 1 %; its features projected or selected; Grad-CAM can explain each frame's most likely class or one class for all,
# and its maps can be compared coarse or fine; the prototypes' three scores can be weighted in any way. The paper gives a number for some of
# these (dimensions, layers) and none for the rest. {glue:text}`commonest_sentence` Prototypes of one class are fitted on the normal frames that PaDiM
# is fitted on, from training clips; prototypes of both classes on labelled frames of test clips
# ({glue:text}`protocol`).

# %% tags=["hide-input", "remove-output"]
with run.stage("trials"):
    commonest = trials.commonest_class(networks["Grad-CAM + SSIM"], image_size)
    defaults = {
        "PaDiM": DetectorSpec("PaDiM", networks["PaDiM"], image_size, options={"n_components": n_components_ablated}),
        "Grad-CAM + SSIM": DetectorSpec("Grad-CAM + SSIM", networks["Grad-CAM + SSIM"], image_size),
        "Prototypes": DetectorSpec(
            "Prototypes", networks["Prototypes"], image_size, options={"k": n_prototypes_ablated}
        ),
    }
    varied = {
        "PaDiM": {
            "score": padim_scores,
            "reduction": padim_reductions,
            "n_components": padim_components,
            "layers": padim_layers,
            "image_size": padim_sizes,
            "epsilon": padim_epsilons,
            "sigma": padim_sigmas,
            "n_fit": padim_fit_counts,
            "seed": padim_seeds,
        },
        "Grad-CAM + SSIM": {
            "target": [commonest if target == "commonest" else target for target in gradcam_targets],
            "layers": gradcam_layers,
            "reference": gradcam_references,
            "map_size": gradcam_map_sizes,
            "image_size": gradcam_sizes,
            "n_fit": gradcam_fit_counts,
        },
        "Prototypes": {
            "k": prototype_counts,
            "top_k": prototype_top_ks,
            "score": prototype_scores,
            "weights": prototype_weights,
            "view": prototype_views,
            "mode": prototype_modes,
            "seed": prototype_seeds,
        },
    }
    settings = ablation_settings(defaults, varied)
    wanted = {name: setting.trial for name, setting in settings.items()}
    columns = main_scores(wanted, trials.run(wanted))
readable = np.logical_and.reduce([np.isfinite(values) for values in columns.values()])
scores = run.scores(trials.tested, columns, skipped=np.flatnonzero(~readable))
comparing = {"n_resamples": n_resamples, "seed": seed}
with run.stage("intervals"):
    merit = compare_trials(scores, {name: setting.base for name, setting in settings.items()}, **comparing)
    ranked = rank_choices(scores, settings, merit, **comparing)

# %% [markdown]
# ## How far each choice moves the number
#
# {numref}`fig-spans` ranks the choices by the range of AUROC between their settings. {glue:text}`luck_sentence` A choice whose range is no wider than
# that is one that these frames say nothing about.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-spans", "caption": "AUROC under each setting of each choice, widest range first. Large dot: the report's default; strokes: the settings; at the right the range. Colours are the detectors'."}, "image": {"alt": "Horizontal lines, one a choice, from the lowest to the highest AUROC of its settings, sorted by length"}}
spans_figure = span_rows(span_table(ranked, settings, merit, DETECTOR_COLOURS))
run.figure("spans", spans_figure, caption="AUROC under each setting of each choice, widest range first.")

# %% [markdown]
# The table, folded, has the best and the worst setting of each choice, the difference between them on the same resamples of the clips, and the same
# interval corrected for having picked the two out of every pair of settings (Bonferroni).

# %% tags=["hide-cell"]
table_of_choices(ranked, settings)

# %% [markdown]
# ## The effect of each setting
#
# {glue:text}`beyond_chance`. {numref}`fig-effects` has all of them; {numref}`fig-defaults` what they are measured against.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-effects", "caption": "Effect of each choice: AUROC of each setting minus that of its detector's default, on the same test frames. Lines: 95 % intervals over clips, paired; filled dots: the interval leaves out zero. At the right the setting's own AUROC."}, "image": {"alt": "Forest of dots with intervals around zero: the gain of each setting over the default, grouped by detector"}}
effects_figure = effect_rows(effect_table(merit, settings, DETECTOR_COLOURS))
run.figure("effects", effects_figure, caption="AUROC of each setting minus that of its detector's default.")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-defaults", "caption": "AUROC of the three detectors with the report's defaults, on the same test frames. Lines: 95 % intervals over clips."}, "image": {"alt": "Dots with intervals: AUROC of the three defaults"}}
defaults_figure = interval_rows(default_table(merit, settings, DETECTOR_COLOURS))
run.figure("defaults", defaults_figure, caption="AUROC of the three detectors with the report's defaults.")

# %% [markdown]
# ## The same on real data
#
# {glue:text}`recorded_sentence`

# %% tags=["hide-input"]
record = recorded_or_none("ped2-offline-25_choices")
recorded_choices(record.metrics["choices"] if record else plain(ranked.to_dict("records"), "choices"))

# %% tags=["remove-cell"]
run.metrics(
    {
        "n_frames": len(scores),
        "n_fit_frames": n_fit_ablated,
        "commonest_class": commonest,
        "trials": {
            name: {
                "detector": setting.detector,
                "network": network_name(trials.network(setting.trial.network)),
                "choice": setting.choice,
                "value": setting.value,
                **merit.loc[name].to_dict(),
            }
            for name, setting in settings.items()
        },
        "choices": ranked.to_dict("records"),
    }
)
run.save()
n_choices = int((ranked["choice"] != LUCK).sum())
spread = merit.loc[list(defaults), "estimate"]
glue(
    "recorded_sentence",
    f"The choices that move the AUROC most on UCSD Ped2, all with EfficientNet-Lite0: {record.brief}."
    if record
    else "No run on real data is recorded in this copy of the project; the table repeats this build's widest choices.",
    display=False,
)
for key, detector, choice in (
    ("reduction_effect", "PaDiM", "reduction"),
    ("dimensions_effect", "PaDiM", "dimensions"),
    ("fit_frames_effect", "PaDiM", "frames fitted"),
    ("target_effect", "Grad-CAM + SSIM", "class explained"),
    ("weights_effect", "Prototypes", "ensemble's weights"),
):
    glue(key, effect_of_choice(ranked, detector, choice), display=False)
glue("most_important", most_important(ranked, settings), display=False)
glue("beyond_chance", beyond_chance(merit, settings), display=False)
glue("luck_sentence", luck_in_words(ranked), display=False)
glue("protocol", protocol, display=False)
glue("n_choices", n_choices, display=False)
glue("n_settings", len(settings), display=False)
glue("detector_range", f"{spread.max() - spread.min():.3f}", display=False)
glue("widest_range", f"{ranked.loc[ranked['choice'] != LUCK, 'span'].iloc[0].estimate:.3f}", display=False)
glue(
    "commonest_sentence",
    f"The class that the classifier most often sees in the normal frames is number {commonest}.",
    display=False,
)
glue("n_frames", f"{n_fit_ablated} frames fitted, {len(scores)} tested", display=False)
glue("data_note", data_note(dataset, own.record, copy=videos), display=False)
glue(
    "chapter_line",
    chapter_line(
        profile=profile,
        dataset=dataset,
        network=", ".join(dict.fromkeys(network_name(trials.network(name)) for name in networks.values())),
        n_fit=n_fit_ablated,
        n_test=len(scores),
        seconds=run.seconds,
        date=run.started,
    ),
    display=False,
)

# %% [markdown]
# ## What this shows
#
# - {glue:text}`most_important`
# - The three defaults themselves are {glue:text}`detector_range` apart, and the settings of that one choice {glue:text}`widest_range`: the
#   first is to be read beside the second.
# - {glue:text}`beyond_chance`.
# - {glue:text}`luck_sentence`
#
# ## What this does not show
#
# One thing varies at a time, so nothing here says what two of them do together. The best setting is the best on these test frames; to pick it and then
# report its AUROC on the same frames would be the very thing that this chapter warns of. The draws are small, for the sake of
# {glue:text}`n_settings` settings, and the intervals say what that costs.
#
# Downloads: {download}`this chapter's script <../results/25_choices/25_choices.py>` ·
# {download}`scores <../results/25_choices/scores.csv>` · {download}`metrics <../results/25_choices/metrics.json>` ·
# {download}`run record <../results/25_choices/run.json>` ·
# {download}`the effects as SVG <../results/25_choices/figures/effects.svg>`
