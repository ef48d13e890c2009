# %% [markdown]
# # Certainty: how far to believe an AUROC
#
# **How sure is a number, and what can be done to it on its way to a paper?** An interval depends on what is taken to be chance, and the same scores
# give several AUROCs. Stretching and smoothing, with the width chosen on the test labels, adds most to {glue:text}`largest_processing`.

# %% tags=["parameters"]
upstream_dir = "_build/demo/results"  # folder of the other experiments' results
n_resamples = 1000  # of the bootstrap over clips
seed = 0  # of the bootstrap
results_dir = "_build/manual/27_certainty"  # folder to write the results to

# %% tags=["remove-output"]
import pandas as pd

from vadlib.evaluation import auroc_by_unit
from vadlib.report import Chapter
from vadlib.report.records.recorded import recorded_or_none
from vadlib.report.study_tables import coverage_table, processing_table, units_table
from vadlib.report.words.studies import intervals_sentence
from vadlib.studies.protocol_audit import auroc_after_postprocessing

chapter = Chapter("27_certainty", globals())
audit, labels_alone = chapter.upstream("23_protocols"), chapter.upstream("22_labels_alone")
scored = chapter.detector_scores(chapter.detector_results())  # of the detectors' own chapters
protocol = audit.run["parameters"]["protocol"]

# %% [markdown]
# ## Which interval
#
# One AUROC under {glue:text}`protocol`, of [the audit](23_protocols), and four ideas of chance. DeLong's interval takes every frame as independent; frames of a clip are not, and the
# simulation below says how often it then holds the truth. Over clips: had other clips been filmed by these cameras. Over scenes: had there been
# other cameras. Over seeds: had the method drawn other numbers; more clips do not mend that, and it is kept apart.

# %%
by = {"clips": audit.scores["clip"], "scenes": audit.scores["scene"], "n_resamples": n_resamples, "seed": seed}
units = {
    name: auroc_by_unit(audit.scores["label"], audit.scores[f"{name}, {protocol}"], **by)
    for name in audit.metrics["by_protocol"][protocol]
}
units_table(units, audit.metrics["seeds"])

# %% [markdown]
# {glue:text}`coverage_sentence`

# %%
labels_record = recorded_or_none("shanghaitech-labels-22_labels_alone")
coverage = pd.DataFrame((labels_record or labels_alone).metrics["coverage"])
coverage = coverage[(coverage["unit"] == "clips") & (coverage["quantity"] == "AUROC")]
coverage_table(coverage)

# %% [markdown]
# ## What is done to a number on its way to a paper
#
# The scores of the detectors' own chapters ({glue:text}`n_upstream` frames) again, without another look at a picture. Stretching each clip to [0, 1] looks at the whole clip before it scores its first frame,
# and gives every clip a maximum. Smoothing in time is honest with a width fixed beforehand; here the width is the best one on the test labels, as
# in code that is in use. The mean over clips leaves out clips of one class, unless each clip is padded with a made-up normal frame at 0 and a
# made-up anomalous one at 1, which counts a clip without an anomaly as all but perfect. Widths are in rows of a clip, of which this table has {glue:text}`n_rows_per_clip` on average.

# %%
processing = {name: auroc_after_postprocessing(scored.table, name) for name in scored.columns}
processing_table(processing)

# %% tags=["remove-cell"]
simulated_on = f"ShanghaiTech's labels ({labels_record.brief})" if labels_record else "this build's labels"
most = max(processing, key=lambda name: processing[name]["both"] - processing[name]["micro"])
padded = max(processing, key=lambda name: processing[name]["padded"] - (processing[name]["macro"] or 0))
without = f"{processing[padded]['macro']:.3f}" if processing[padded]["macro"] else "undefined"
chapter.say(
    protocol=protocol,
    n_upstream=len(scored),
    n_rows_per_clip=f"{len(scored) / scored.table['clip'].nunique():.0f}",
    coverage_sentence=intervals_sentence(coverage, simulated_on),
    largest_processing=f"{most}, from {processing[most]['micro']:.3f} to {processing[most]['both']:.3f}",
    padding=f"{padded}: {processing[padded]['padded']:.3f} padded, {without} without",
)
chapter.close(scored, units=units, processing=processing)

# %% [markdown]
# ## What this shows
#
# - Stretching and smoothing, with the width chosen on the test labels, adds most to {glue:text}`largest_processing`.
# - Padding clips adds most to {glue:text}`padding`.
#
# ## What this does not show
#
# Which of the two detectors of a pair is the better: that is asked on the same resamples, and answered, in
# [the paper against this build](21_claims). Clips that nobody filmed, of places and habits unlike these, are in no interval.
