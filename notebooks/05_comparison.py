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
# **Which of the paper's numbers come out again?** Every number that the paper states, beside ours where this build
# measured it, with a verdict by tolerances that were fixed before anything was measured
# ({download}`the list <../book/paper_values.yml>`). On any data set but the paper's own, a result gets no verdict.

# %% tags=["parameters"]
upstream_dir = "_build/demo/results"  # folder of the other experiments' results
results_dir = "_build/manual/05_comparison"  # folder to write the results to

# %% tags=["hide-input"]
import pandas as pd
from myst_nb import glue

from vadlib.figures import forest, use_house_style
from vadlib.report import Experiment, compare_with_paper, load_paper_values, load_results
from vadlib.report.pages import chapter_line, data_note

use_house_style()
run = Experiment.from_notebook("05_comparison", globals())
results = {name: load_results(f"{upstream_dir}/{name}") for name in ("01_dataset", "02_padim")}
padim = results["02_padim"]
paper = load_paper_values()
run.record(dataset=padim.run["dataset"], weights=padim.run["weights"])

# %% [markdown]
# ## The detectors

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-forest", "caption": "AUROC with all frames pooled. Hollow: the paper, on ShanghaiTech Campus. Filled, with its 95 % interval over clips: this build, where it has measured the detector."}, "image": {"alt": "Forest plot of AUROC: the paper's three detectors as hollow marks, this build's as dots with intervals, chance as a line"}}
measured = padim.metrics["micro_auroc_interval"]
rows = pd.DataFrame(
    {
        "PaDiM": {"paper": paper["padim_auroc"].value, **measured},
        "Grad-CAM + SSIM": {"paper": paper["gradcam_ssim_auroc"].value},
        "CLIP prototypes": {"paper": paper["clip_auroc"].value},
    }
).T[["paper", "estimate", "low", "high"]]
forest_figure = forest(rows.astype(float))
run.figure("forest", forest_figure, caption="AUROC of the paper and of this build, all frames pooled.")

# %% [markdown]
# ## Every number

# %% tags=["hide-input"]
comparison = compare_with_paper(paper, results)
comparison.drop(columns=["kind", "deviations"]).reset_index(drop=True).style.hide(axis="index")

# %% [markdown]
# ## Where the paper leaves something open, and what we do

# %% tags=["hide-input"]
deviations = comparison.loc[comparison["deviations"] != "", ["claim", "where", "deviations"]]
deviations.reset_index(drop=True).style.hide(axis="index")

# %% tags=["remove-cell"]
verdicts = comparison["verdict"].value_counts()
run.metrics({"verdicts": {verdict: int(count) for verdict, count in verdicts.items()}})
run.save()
trained = padim.run["weights"]["trained"]
glue("data_note", data_note(padim.run["dataset"]["name"], trained=trained), display=False)
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
# Downloads: {download}`this chapter's script <../results/05_comparison/05_comparison.py>` ·
# {download}`its numbers <../results/05_comparison/metrics.json>` ·
# {download}`the figure as SVG <../results/05_comparison/figures/forest.svg>`
