# %% [markdown]
# # The paper against this build
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

# %% tags=["remove-output"]
from vadlib.figures import forest
from vadlib.report import Chapter, compare_with_paper, list_recorded, load_paper_values, load_recorded
from vadlib.report.paper import evidence_table
from vadlib.report.tables import cost_table, forest_rows, frames_used, pairs_table
from vadlib.report.words.common import interval_of
from vadlib.report.words.studies import pairs_sentence

chapter = Chapter("21_claims", globals())
detectors = chapter.detector_results()
data, labels_alone = chapter.upstream("01_dataset"), chapter.upstream("22_labels_alone")
scored = chapter.detector_scores(detectors)  # of the frames that all of them scored, a column each
paper = load_paper_values()
recorded = {name: load_recorded(name) for name in list_recorded()}

# %% [markdown]
# ## The best evidence there is
#
# What recorded runs on real data say of each result, the nearest to the paper's own run first. Brackets are 95 % intervals, over clips where nothing
# else is said. What the author's notebooks did is on [its own page](20_as_run), what stands for CLIP on ShanghaiTech is [on the next](29_shanghaitech).

# %%
evidence_table(paper, recorded).style.hide(axis="index")

# %% [markdown]
# ## The detectors
#
# One row each in {numref}`fig-claims-forest`. PaDiM, Grad-CAM + SSIM, SPADE and one-class prototypes see normal frames only; the prototypes
# see labelled anomalies, in the protocol that stands in the row, and can be compared with each other alone. The grey ticks are scores that look at no
# picture, from [the labels alone](22_labels_alone): the scene's rate of anomalies, the position in the clip, nearness to its middle, and, where labelled
# frames are fitted on, the label of the nearest one in time under that protocol.

# %%
chapter.figure(
    "forest",
    forest(forest_rows(scored.intervals, detectors, paper, labels_alone.metrics["scores"])),
    "AUROC with all frames pooled. Hollow: the paper, on ShanghaiTech Campus, without intervals. Filled, with its 95 % "
    "interval over clips: this build. Grey ticks: scores that look at no picture.",
    alt="Forest plot of AUROC: the paper's three detectors as hollow marks, this build's as dots with intervals, scores "
    "that look at no picture as grey ticks, chance as a line",
)

# %% [markdown]
# ## Table 1 of the paper: frames used

# %%
frames_used(detectors, paper)

# %% [markdown]
# ## Table 2 of the paper: AUROC, cost, interpretability
#
# Instead of "low", "medium" and "high": what each took in this run, decoding included, on {glue:text}`device`; and instead of an
# adjective for interpretability, how often the hottest pixel of the heatmap lies inside the ground truth, beside how often
# a pixel picked blindly would, with the chance that an anomalous pixel is hotter than another.

# %%
cost_table(scored.intervals, detectors, paper)

# %% [markdown]
# ## Figure 4 of the paper: ROC curves
#
# The paper shows PaDiM's and CLIP's, each alone and without a band. A band is pointwise: 95 % of the resamples of the clips.

# %%
chapter.figure(
    "roc",
    scored.draw_roc_panels(),
    "ROC curves (Figure 4 of the paper) on the same test frames, all on one axis and each alone, with 95 % bands from "
    "resampling clips.",
    alt="Panels of ROC curves with bands: all detectors together, then each alone",
)

# %% [markdown]
# ## Figure 5 of the paper: distributions of the scores

# %%
chapter.figure(
    "densities",
    scored.draw_densities(columns=scored.columns),
    "Kernel density estimates of the detectors' frame scores (Figure 5 of the paper), with the share of the area that "
    "normal and anomalous frames have in common.",
    alt="Panels, one a detector, each with two density curves of scores for normal and anomalous frames",
)

# %% [markdown]
# ## Is one better than another?
#
# The paper ranks the three by their AUROCs. Each pair is compared on the same resamples of the clips; Holm's correction keeps the chance of any false
# verdict in the table at 5 %.

# %%
comparisons = scored.compare()
pairs_table(comparisons)

# %% [markdown]
# ## Every number of the paper

# %%
comparison = compare_with_paper(paper, {found.run["experiment"]: found for found in (data, *detectors.values())})
comparison.drop(columns=["kind", "deviations"]).reset_index(drop=True).style.hide(axis="index")

# %% tags=["remove-cell"]
best = max(scored.intervals, key=lambda name: scored.intervals[name].estimate)
of_ped2 = {name: recorded[f"ped2-offline-{name}"].metrics for name in ("02_padim", "10_motion")}
chapter.say(
    ped2_padim=f"{interval_of(of_ped2['02_padim']['micro_auroc_interval']):.2f}",
    ped2_difference=f"{interval_of(of_ped2['10_motion']['micro_auroc_interval']):.2f}",
    ped2_flow=f"{interval_of(of_ped2['10_motion']['scores']['flow']['micro_auroc_interval']):.2f}",
    best=best,
    best_auroc=scored.intervals[best],
    ranking=pairs_sentence(comparisons),
    device=next(iter(detectors.values())).run["device"],
)
chapter.close(
    scored,
    verdicts=comparison["verdict"].value_counts().to_dict(),
    comparisons=comparisons.to_dict("records"),
    overlaps=scored.overlaps,
)

# %% [markdown]
# What the paper leaves open, and what that is worth, is on [its own page](../book/deviations).
