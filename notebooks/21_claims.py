# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The paper against this build
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **Which of the paper's numbers come out again, and is one detector better than another?** On the same test frames the highest AUROC
# here is that of {glue:text}`best`, {glue:text}`best_auroc`; {glue:text}`ranking`. Every number that the paper states stands
# below beside ours, with a verdict by tolerances that were fixed before anything was measured
# ({download}`the list <../book/paper_values.yml>`). On any data set but the paper's own, a result gets no verdict.

# %% tags=["parameters"]
upstream_dir = "_build/demo/results"  # folder of the other experiments' results
n_resamples = 1000  # of the bootstrap over clips
seed = 0  # of the bootstrap
results_dir = "_build/manual/21_claims"  # folder to write the results to

# %% tags=["hide-input"]
import pandas as pd
from myst_nb import glue

from vadlib.evaluation import bootstrap_auroc, bootstrap_roc_band, compare_all, overlap_coefficient
from vadlib.figures import DETECTOR_COLOURS, density_panels, forest, roc_panels, use_house_style
from vadlib.report import Experiment, compare_with_paper, load_paper_values, load_results
from vadlib.report.tables import blind_ticks, compare_detectors, cost_table, frame_scores_of, frames_used
from vadlib.report.words.common import chapter_line, data_note

use_house_style()
run = Experiment.from_notebook("21_claims", globals())
names = ("01_dataset", "02_padim", "03_gradcam_ssim", "04_clip_prototypes", "22_labels_alone")
results = {name: load_results(f"{upstream_dir}/{name}") for name in names}
padim, gradcam, clip, labels_alone = (results[name] for name in names[1:])
paper = load_paper_values()
run.record(dataset=padim.run["dataset"], weights=padim.run["weights"])

# %% [markdown]
# ## The detectors
#
# One row each in {numref}`fig-forest`. PaDiM, Grad-CAM + SSIM, SPADE and one-class prototypes see normal frames only; the prototypes
# see labelled anomalies, in the protocol that stands in the row, and can be compared with each other alone. The grey ticks are scores that look at no
# picture, from [the labels alone](22_labels_alone): the scene's rate of anomalies, the position in the clip, nearness to its middle, and, where labelled
# frames are fitted on, the label of the nearest one in time under that protocol. A dot that no tick lies above has seen something.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-forest", "caption": "AUROC with all frames pooled. Hollow: the paper, on ShanghaiTech Campus, without intervals. Filled, with its 95 % interval over clips: this build. Grey ticks: scores that look at no picture."}, "image": {"alt": "Forest plot of AUROC: the paper's three detectors as hollow marks, this build's as dots with intervals, scores that look at no picture as grey ticks, chance as a line"}}
scores, columns = frame_scores_of(results)
resampling = {"clusters": scores["clip"], "n_resamples": n_resamples, "seed": seed}
intervals = {name: bootstrap_auroc(scores["label"], scores[name], **resampling) for name in columns}
stated = {"PaDiM": "padim_auroc", "Grad-CAM + SSIM": "gradcam_auroc", "Prototypes": "clip_auroc"}
rows = pd.DataFrame.from_dict(
    {
        name: {
            "paper": paper[stated[name]].value if name in stated else None,
            "estimate": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            "colour": DETECTOR_COLOURS[name],
        }
        for name, interval in intervals.items()
    },
    orient="index",
).astype({"paper": float})
protocol = clip.run["parameters"]["protocol"]
rows = rows.rename(index={"Prototypes": f"Prototypes,\n{protocol}"})
for name, found in clip.metrics["by_protocol"].items():
    if name != protocol:
        entry = {**found["micro_auroc_interval"], "colour": DETECTOR_COLOURS["Prototypes"], "paper": None}
        rows.loc[f"Prototypes,\n{name}"] = entry
rows = rows.astype({"paper": float, "estimate": float, "low": float, "high": float})
rows["blind"] = [blind_ticks(labels_alone.metrics, name.partition(",\n")[2]) for name in rows.index]
forest_figure = forest(rows)
run.figure("forest", forest_figure, caption="AUROC of the paper and of this build, all frames pooled.")

# %% [markdown]
# ## Table 1 of the paper: frames used

# %% tags=["hide-input"]
frames_used({"PaDiM": padim, "Grad-CAM + SSIM": gradcam, "Prototypes": clip}, paper)

# %% [markdown]
# ## Table 2 of the paper: AUROC, cost, interpretability
#
# Instead of "low", "medium" and "high": what each took in this run, decoding included, on {glue:text}`device`; and instead of an
# adjective for interpretability, how often the hottest pixel of the heatmap lies inside the ground truth, beside how often
# a pixel picked blindly would, with the chance that an anomalous pixel is hotter than another.

# %% tags=["hide-input"]
table_2 = cost_table(intervals, {"padim": padim, "gradcam": gradcam, "clip": clip}, paper)
table_2

# %% [markdown]
# ## Figure 4 of the paper: ROC curves
#
# The paper shows PaDiM's and CLIP's, each alone and without a band. A band is pointwise: 95 % of the resamples of the clips.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-roc-all", "caption": "ROC curves (Figure 4 of the paper) on the same test frames, all on one axis and each alone, with 95 % bands from resampling clips."}, "image": {"alt": "Panels of ROC curves with bands: all detectors together, then each alone"}}
roc_figure = roc_panels(
    {
        name: (
            bootstrap_roc_band(scores["label"], scores[name], **resampling),
            intervals[name],
            DETECTOR_COLOURS[name],
        )
        for name in columns
    }
)
run.figure("roc", roc_figure, caption="ROC curves of all detectors (Figure 4 of the paper), with 95 % bands.")

# %% [markdown]
# ## Figure 5 of the paper: distributions of the scores

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-densities-all", "caption": "Kernel density estimates of the frame scores of the paper's three detectors and of SPADE proper (Figure 5 of the paper), with the share of the area that normal and anomalous frames have in common."}, "image": {"alt": "Panels, one a detector, each with two density curves of scores for normal and anomalous frames"}}
shown = ("PaDiM", "Grad-CAM + SSIM", "Prototypes", "SPADE")
overlaps = {name: overlap_coefficient(scores["label"], scores[name]) for name in shown}
density_figure = density_panels(
    {f"{name}: overlap {overlaps[name]:.0%}": (scores["label"], scores[name], "frame score") for name in shown}
)
run.figure("densities", density_figure, caption="Densities of all detectors' scores (Figure 5 of the paper).")

# %% [markdown]
# ## Is one better than another?
#
# The paper ranks the three by their AUROCs. Each pair is compared on the same resamples of the clips; Holm's correction keeps the chance of any false
# verdict in the table at 5 %.

# %% tags=["hide-input"]
comparisons = compare_all(
    scores["label"],
    {name: scores[name] for name in columns},
    clusters=scores["clip"],
    n_resamples=max(n_resamples, 1000),
    seed=seed,
)
compare_detectors(comparisons).style

# %% [markdown]
# ## Every number of the paper

# %% tags=["hide-input"]
comparison = compare_with_paper(paper, results)
comparison.drop(columns=["kind", "deviations"]).reset_index(drop=True).style.hide(axis="index")

# %% tags=["remove-cell"]
verdicts = comparison["verdict"].value_counts()
best = max(intervals, key=lambda name: intervals[name].estimate)
told_apart = int((comparisons["better"] != "").sum())
run.metrics(
    {
        "verdicts": {verdict: int(count) for verdict, count in verdicts.items()},
        "micro_auroc": intervals,
        "comparisons": comparisons.to_dict("records"),
        "overlaps": overlaps,
        "n_frames": len(scores),
    }
)
run.save()
glue("best", best, display=False)
glue("best_auroc", f"{intervals[best]:.3f}", display=False)
glue(
    "ranking",
    f"of the {len(comparisons)} pairs of detectors, {told_apart} can be told apart on these clips",
    display=False,
)
glue("device", str(padim.run["device"]), display=False)
glue("data_note", data_note(padim.run["dataset"]["name"], padim.run["weights"]), display=False)
glue(
    "chapter_line",
    chapter_line(
        profile=padim.run["parameters"]["profile"],
        dataset=padim.run["dataset"]["name"],
        seconds=run.seconds,
        date=run.started,
    ),
    display=False,
)

# %% [markdown]
# What the paper leaves open, and what that is worth, is on [its own page](../book/deviations).
#
# Downloads: {download}`this chapter's script <../results/21_claims/21_claims.py>` ·
# {download}`its numbers <../results/21_claims/metrics.json>` ·
# {download}`the figure as SVG <../results/21_claims/figures/forest.svg>` ·
# {download}`ROC curves as SVG <../results/21_claims/figures/roc.svg>`
