# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The audit: what an AUROC is worth
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **Is 0.797 good, and is PaDiM really better than Grad-CAM?** A number depends on which frames a detector was fitted on, on what was done to its
# scores, and on which clips happened to be filmed. Here each is measured. {glue:text}`answer`

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18"  # network of PaDiM and SPADE
classifier = "resnet18"  # network of Grad-CAM + SSIM
embedder = "clip_vision"  # network of the prototypes
weights = "bundled"  # of the report's networks: imagenet, bundled, random, or a file
classifier_weights: str | None = None  # of the classifier; None: the same as weights
embedder_weights: str | None = None  # of the embedder; None: the same as weights
upstream_dir = "_build/demo/results"  # folder of the other experiments' results
image_size = 224  # pixels, height and width of the frames as read
audited_protocols = [
    "official-split",
    "reused-frames",
    "same-clips",
    "disjoint-clips",
    "disjoint-scenes",
]  # where the frames come from that detectors are fitted on
protocol = "disjoint-clips"  # the one that the others are compared with, and the seeds are varied under
n_fit_audited = 60  # frames of each class in each fit (one-class detectors take the normal ones)
n_test_audited: int | None = 100  # test frames of each class, the same under every protocol; None for all
n_components_audited = 100  # dimensions that PaDiM keeps (paper: 300)
n_prototypes_audited = 20  # of each class (paper: 100)
n_neighbours_audited = 10  # normal frames that SPADE compares with
audited_seeds = [0, 1, 2, 3, 4]  # of PaDiM's projection, and of K-Means
n_folds = 3  # of the cross-fitted protocols
near_similarity = 0.98  # cosine similarity of two frames' embeddings from which they count as near duplicates
prevalence = 0.01  # share of anomalous frames that a real camera might have
recall = 0.8  # share of anomalous frames to be found, for the alarms
gap_s = 2.0  # seconds of silence between two alarms, or they are one
seed = 0  # of the draws, reductions, K-Means, random weights and the bootstrap
batch_size = 32  # frames
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
results_dir = "_build/manual/23_protocols"  # folder to write the results to

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from myst_nb import glue

from vadlib.data import open_dataset
from vadlib.evaluation import (
    alarms_at_recall,
    auroc_by_unit,
    auroc_over_seeds,
    bootstrap_auroc,
    bootstrap_difference,
    compare_all,
    leakage_report,
    nearest_fit_label,
)
from vadlib.figures import BLIND, DETECTOR_COLOURS, grouped_interval_rows, use_house_style
from vadlib.report import Experiment, load_paper_values, load_results, project_path
from vadlib.report.records.recorded import recorded_or_none
from vadlib.report.tables import compare_detectors, frame_scores_of
from vadlib.report.words.common import chapter_line, data_note
from vadlib.runs.results import plain
from vadlib.studies.draws import draw_protocols
from vadlib.studies.protocol_audit import (
    BLIND_ROW,
    beside,
    comparison_sentence,
    interval_of,
    lost_without_leakage,
    precisions,
    processed,
    quality_sentence,
    require_protocols,
    scores_by_protocol,
    within_folds,
)
from vadlib.studies.runner import DetectorRunner, DetectorSpec

use_house_style()
run = Experiment.from_notebook("23_protocols", globals())
upstream = {
    name: load_results(f"{upstream_dir}/{name}")
    for name in ("02_padim", "03_gradcam_ssim", "04_clip_prototypes", "22_labels_alone")
}
labels_alone = {"this build's labels": upstream["22_labels_alone"].metrics}
stated = {name: value.value for name, value in load_paper_values().items()}

# %% tags=["hide-input", "remove-output"]
videos = open_dataset(
    dataset, project_path(dataset_root), allow_missing=allow_missing, skip_unreadable=skip_unreadable
).with_pictures()
table = videos.frame_table()
fps = {clip.id: clip.fps for clip in videos.clips}
draws = draw_protocols(
    table,
    audited_protocols,
    fit_official=n_fit_audited,
    fit_each=n_fit_audited,
    test_normal=n_test_audited,
    test_abnormal=n_test_audited,
    seed=seed,
    n_folds=n_folds,
)
splits = require_protocols(draws, ("official-split", "disjoint-clips", protocol))
trials = DetectorRunner(
    videos,
    splits["official-split"],
    splits["disjoint-clips"],
    others=list(splits.values()),
    batch_size=batch_size,
    seed=seed,
    device=device,
    skip_unreadable=skip_unreadable,
)
own, embedding_network = f"{backbone}:{weights}", f"{embedder}:{embedder_weights or weights}"
wanted = {
    "PaDiM": DetectorSpec("PaDiM", own, image_size, options={"n_components": n_components_audited}),
    "Grad-CAM + SSIM": DetectorSpec("Grad-CAM + SSIM", f"{classifier}:{classifier_weights or weights}", image_size),
    "SPADE": DetectorSpec("SPADE", own, image_size, options={"k": n_neighbours_audited}),
    "One-class prototypes": DetectorSpec(
        "Prototypes", embedding_network, image_size, options={"k": n_prototypes_audited, "mode": "one-class"}
    ),
    "Prototypes": DetectorSpec("Prototypes", embedding_network, image_size, options={"k": n_prototypes_audited}),
}
run.record(dataset=videos, weights=trials.network(own).record.as_dict(), precision=trials.network(own).precision)
with run.stage("protocols"):
    found = scores_by_protocol(trials, wanted, splits)
with run.stage("seeds"):
    by_seed = {
        name: {
            value: trials.run_under(
                DetectorSpec(trial.detector, trial.network, image_size, options=trial.options | {"seed": value}),
                splits[protocol],
            )[score]
            for value in audited_seeds
        }
        for name, trial, score in (
            ("PaDiM", wanted["PaDiM"], "max"),
            ("Prototypes", wanted["Prototypes"], "ensemble"),
        )
    }
with run.stage("embeddings"):
    embeddings = trials.embeddings(embedding_network, image_size)

# %% [markdown]
# ## The same detectors under every protocol
#
# All of {numref}`fig-audit` is of the same {glue:text}`n_frames` test frames, the same networks and the same settings. Only the frames that a detector
# is fitted on change hands: from training videos, from the test frames themselves, from the tested clips, from other clips, from other cameras.
# The grey rows look at no picture: the label of the nearest frame in time that was handed out for fitting, or, where none of the clip was, the scene's
# rate among those that were. {glue:text}`draw_note`

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-audit", "caption": "AUROC of every detector under every protocol, on the same test frames, with 95 % intervals over clips. Grey: what the labels handed out for fitting get under that protocol, without a picture."}, "image": {"alt": "Dots with intervals in groups, one group a protocol, one row a detector, and a grey row for a score that looks at no picture"}}
columns = {f"{name}, {where}": values for where, group in found.items() for name, values in group.items()}
tested = draws.tested
readable = np.logical_and.reduce([np.isfinite(values.loc[tested.index].to_numpy()) for values in columns.values()])
scores = run.scores(
    tested,
    {name: values.loc[tested.index].to_numpy() for name, values in columns.items()},
    skipped=np.flatnonzero(~readable),
)
resampling = {"clusters": scores["clip"], "n_resamples": n_resamples, "seed": seed}
merits = {
    where: {name: bootstrap_auroc(scores["label"], scores[f"{name}, {where}"], **resampling) for name in group}
    for where, group in found.items()
}
blind = {
    where: bootstrap_auroc(scores["label"], nearest_fit_label(split, tested)[readable], **resampling)
    for where, split in splits.items()
}
rows = pd.DataFrame(
    [
        {
            "group": where,
            "label": name,
            "estimate": interval.estimate,
            "low": interval.low,
            "high": interval.high,
            "colour": DETECTOR_COLOURS.get(name, BLIND),
            "note": f"{interval.estimate:.3f}",
        }
        for where in splits
        for name, interval in {**merits[where], BLIND_ROW: blind[where]}.items()
    ]
)
audit_figure = grouped_interval_rows(rows)
run.figure("protocols", audit_figure, caption="AUROC of every detector under every protocol, beside a blind score.")

# %% [markdown]
# How far each stands above the same detector under {glue:text}`protocol`, on the same resamples of the clips; each interval is for itself, not corrected
# for their number. Network, settings and test frames are the same. Two things come with a protocol besides the place of the fit frames: there may be
# fewer of them (said above), and under the cross-fitted ones scores of several fits are pooled, which are not on one scale. Compared within folds only,
# the prototypes' AUROC under {glue:text}`protocol` is {glue:text}`within_prototypes` instead of {glue:text}`pooled_prototypes`.

# %% tags=["hide-input"]
against = {
    where: {
        name: bootstrap_difference(
            scores["label"], scores[f"{name}, {where}"], scores[f"{name}, {protocol}"], **resampling
        )
        for name in group
    }
    for where, group in merits.items()
    if where != protocol
}
pd.DataFrame(
    {where: {name: f"{gain:+.3f}" for name, gain in group.items()} for where, group in against.items()}
).fillna("needs labels")

# %% tags=["remove-cell"]
within = {name: within_folds(scores, f"{name}, {protocol}", splits[protocol].folds) for name in merits[protocol]}

# %% [markdown]
# ### How near the fitted frames are
#
# A near duplicate is a test frame whose embedding has a cosine similarity of at least {glue:text}`near_similarity` with one that the detector was fitted
# on, of whatever clip. A fixed camera sees the same walls all day, so some are there under every protocol; what a protocol adds is the rest. The table
# counts all frames handed out for fitting; detectors of one class take the normal ones among them.

# %% tags=["hide-input"]
leakage = {
    where: leakage_report(split, fps, embeddings=embeddings, threshold=near_similarity)
    for where, split in splits.items()
}
pd.DataFrame(
    {
        where: {
            "clips both fitted and tested": f"{report['n_shared_clips']} of {report['n_test_clips']}",
            "test frames fitted on": f"{report['share_reused']:.0%}",
            "test frames within 1 s of a fit frame": f"{report['share_within_1_s']:.0%}",
            "frames to the nearest fit frame, median": "none in the clip"
            if report["median_distance_frames"] is None
            else f"{report['median_distance_frames']:g}",
            "near duplicates": f"{report['near_duplicates']['share']:.0%}",
        }
        for where, report in leakage.items()
    }
).T

# %% [markdown]
# ## Which interval
#
# One AUROC under {glue:text}`protocol`, four ideas of chance. DeLong's interval takes every frame as independent; frames of a clip are not, and the
# simulation below says how often it then holds the truth. Over clips: had other clips been filmed by these cameras. Over scenes: had there been
# other cameras. Over seeds: had the method drawn other numbers; more clips do not mend that, and it is kept apart.

# %% tags=["hide-input"]
units = {
    name: auroc_by_unit(
        scores["label"],
        scores[f"{name}, {protocol}"],
        clips=scores["clip"],
        scenes=scores["scene"],
        n_resamples=n_resamples,
        seed=seed,
    )
    for name in merits[protocol]
}
seeds = {
    name: auroc_over_seeds(
        scores["label"],
        {value: column.loc[tested.index].to_numpy()[readable] for value, column in group.items()},
        **resampling,
    )
    for name, group in by_seed.items()
}
pd.DataFrame(
    {
        name: {
            "frames (DeLong)": f"{unit['frames']:.3f}",
            "clips": f"{unit['clips']:.3f}" if unit["clips"] else "too few",
            "scenes": f"{unit['scenes']:.3f}" if unit["scenes"] else "too few scenes",
            "seeds, lowest to highest": f"{seeds[name].low:.3f} to {seeds[name].high:.3f} ({seeds[name].n_seeds} seeds)"
            if name in seeds
            else "no draw, or not varied",
        }
        for name, unit in units.items()
    }
).T

# %% [markdown]
# {glue:text}`coverage_sentence`

# %% tags=["hide-input"]
labels_record = recorded_or_none("shanghaitech-labels-22_labels_alone")
coverage = pd.DataFrame((labels_record.metrics if labels_record else upstream["22_labels_alone"].metrics)["coverage"])
shown_coverage = coverage[(coverage["unit"] == "clips") & (coverage["quantity"] == "AUROC")]
shown_coverage.pivot_table(index="method", columns=["n_units", "auroc"], values="coverage", sort=False).rename_axis(
    columns=["clips", "true AUROC"]
).map("{:.1%}".format)

# %% [markdown]
# ## Is one detector better than another?
#
# On the larger draws of the detectors' own chapters ({glue:text}`n_upstream` frames), every pair on the same resamples of the clips; Holm's correction
# keeps the chance of any false verdict in the table at 5 %.

# %% tags=["hide-input"]
own_scores, detectors = frame_scores_of({name: upstream[name] for name in list(upstream)[:3]})
comparisons = compare_all(
    own_scores["label"],
    {name: own_scores[name] for name in detectors},
    clusters=own_scores["clip"],
    n_resamples=max(n_resamples, 1000),
    seed=seed,
)
compare_detectors(comparisons)

# %% [markdown]
# ## What is done to a number on its way to a paper
#
# The same scores again, without another look at a picture. Stretching each clip to [0, 1] looks at the whole clip before it scores its first frame,
# and gives every clip a maximum. Smoothing in time is honest with a width fixed beforehand; here the width is the best one on the test labels, as
# in code that is in use. The mean over clips leaves out clips of one class, unless each clip is padded with a made-up normal frame at 0 and a
# made-up anomalous one at 1, which counts a clip without an anomaly as all but perfect. Widths are in rows of a clip, of which this table has {glue:text}`n_rows_per_clip` on average.

# %% tags=["hide-input"]
processing = {name: processed(own_scores, name) for name in detectors}
processing_table = pd.DataFrame(processing).T.rename(
    columns={
        "micro": "all frames pooled",
        "normalised": "each clip to [0, 1]",
        "smoothed": "smoothed, best width",
        "sigma": "that width, rows",
        "both": "both",
        "macro": "mean of clips",
        "padded": "mean of padded clips",
        "balanced": "balanced draw",
    }
)
processing_table.map(lambda value: "none" if pd.isna(value) else f"{value:.3f}")

# %% [markdown]
# ## What it is worth at a camera
#
# AUROC does not depend on how rare anomalies are; whoever answers the alarms does. Average precision with this table's share of anomalous frames, and
# with {glue:text}`prevalence` of them; then how often a camera calls at the threshold that finds {glue:text}`recall` of the anomalous frames (alarming frames less than
# {glue:text}`gap_s` s apart are one alarm). Hours are those of the whole test clips; what happens between two drawn frames is not seen, so on a draw
# the alarms are a lower bound.

# %% tags=["hide-input"]
rates = table["clip"].map(fps)
of_test = table["clip"].isin(own_scores["clip"])
hours = {
    "hours": float((1 / rates[of_test]).sum() / 3600),
    "normal_hours": float((1 / rates[of_test & (table["label"] == 0)]).sum() / 3600),
}
operation = {}
for name in detectors:
    alarms = alarms_at_recall(
        own_scores["label"],
        own_scores[name],
        own_scores["clip"],
        fps=float(np.median(list(fps.values()))),
        recall=recall,
        gap_s=gap_s,
        frames=own_scores["frame"],
        **hours,
    )
    operation[name] = precisions(own_scores["label"], own_scores[name], prevalence) | {
        "false_alarms_per_hour": alarms.false_alarms_per_hour,
        "false_positive_rate": alarms.false_positive_rate,
        "recall": alarms.recall,
    }
pd.DataFrame(
    {
        name: {
            f"average precision, {entry['share']:.0%} anomalous": f"{entry['here']:.3f}",
            f"average precision, {prevalence:.0%} anomalous": f"{entry['rare']:.3f}",
            "normal frames that alarm": f"{entry['false_positive_rate']:.0%}",
            "false alarms an hour of normal video": f"{entry['false_alarms_per_hour']:.0f}",
        }
        for name, entry in operation.items()
    }
).T

# %% [markdown]
# ## What the paper's three numbers can and cannot mean
#
# {glue:text}`records_sentence`

# %% tags=["hide-input"]
metrics = plain(
    {
        "n_frames": len(scores),
        "by_protocol": merits,
        "scores": {
            f"{name}, {where}": {"micro_auroc_interval": interval}
            for where, group in merits.items()
            for name, interval in group.items()
        },
        "blind_by_protocol": blind,
        "against": against,
        "leakage": leakage,
        "units": units,
        "within_folds": within,
        "seeds": seeds,
        "comparisons": comparisons.to_dict("records"),
        "processing": processing,
        "operation": operation,
        "draws": {"changes": list(draws.changes), "left_out": draws.left_out},
    },
    "metrics",
)
ped2 = recorded_or_none("ped2-offline-23_protocols")
sources = {"this build": metrics} | ({"UCSD Ped2, recorded": ped2.metrics} if ped2 else {})
if labels_record:
    labels_alone["ShanghaiTech's labels, recorded"] = labels_record.metrics
answers = {
    "Is 0.797 good?": {name: quality_sentence(found_there) for name, found_there in sources.items()}
    | {
        name: "No picture needed: "
        + "; ".join(
            f"{words} {interval_of(found_there['blind'][key]['micro_auroc_interval']):.3f}"
            for key, words in (
                ("middle", "middle of the clip"),
                ("nearest_fit_label_same_clips", "nearest fit frame's label under same-clips"),
                ("nearest_fit_label_disjoint_clips", "the fit frames' labels under disjoint-clips"),
            )
            if key in found_there["blind"]
        )
        for name, found_there in labels_alone.items()
    },
    "Is PaDiM really better than Grad-CAM?": {
        name: comparison_sentence(found_there) for name, found_there in sources.items()
    },
}
pd.DataFrame(
    [(question, name, text) for question, group in answers.items() for name, text in group.items()],
    columns=["question", "on", "answer"],
).style.hide(axis="index")

# %% tags=["remove-cell"]
run.metrics(metrics)
run.save()
in_use = shown_coverage[shown_coverage["method"] == "studentized"]["coverage"]
naive = shown_coverage[shown_coverage["method"] == "delong"]["coverage"]
percentile = shown_coverage[shown_coverage["method"] == "percentile"]["coverage"]
where_simulated = f"ShanghaiTech's labels ({labels_record.brief})" if labels_record else "this build's labels"
blind_here = upstream["22_labels_alone"].metrics["blind"]
best_blind = max(
    (name for name in blind_here if not name.startswith("nearest")),
    key=lambda name: blind_here[name]["micro_auroc_interval"]["estimate"],
)
glue(
    "coverage_sentence",
    f"Does a 95 % interval hold the truth 95 times in 100? Simulated on clips shaped like {where_simulated}: over the designs below the interval in use "
    f"holds it in {in_use.min():.1%} to {in_use.max():.1%} of the data sets, the plain percentile interval in {percentile.min():.1%} to "
    f"{percentile.max():.1%}, and DeLong's in {naive.min():.1%} to {naive.max():.1%} (standard error of such a share: up to "
    f"{shown_coverage['standard_error'].max():.1%}).",
    display=False,
)
pooled = merits[protocol].get("Prototypes")
glue("within_prototypes", f"{within['Prototypes']:.3f}" if "Prototypes" in within else "not measured", display=False)
glue("pooled_prototypes", f"{pooled.estimate:.3f}" if pooled else "not measured", display=False)
reused = merits.get("reused-frames", {}).get("Prototypes")
apart = merits.get(protocol, {}).get("Prototypes")
glue(
    "answer",
    (
        f"On the same test frames prototypes get {reused:.3f} where those frames were among the fitted ones and {apart:.3f} under {protocol}. On the "
        f"detectors' own larger draws, {comparison_sentence(metrics)}"
        if reused and apart
        else comparison_sentence(metrics)
    ),
    display=False,
)
shanghai = labels_record.metrics["blind"] if labels_record else None
glue(
    "records_sentence",
    (
        f"On ShanghaiTech's own labels ({labels_record.brief}), the rate of anomalies in the other clips of the scene is worth "
        f"{beside(shanghai['scene_rate_other_clips'], stated['padim_auroc'], 'PaDiM')}; being near the middle of the clip "
        f"{beside(shanghai['middle'], stated['clip_auroc'], 'CLIP')}; how far the clip has gone on "
        f"{beside(shanghai['position'], stated['gradcam_auroc'], 'Grad-CAM')}; and where fit and test frames share clips, the label of the nearest "
        f"fit frame {beside(shanghai['nearest_fit_label_same_clips'], stated['clip_auroc'], 'CLIP')}."
        if labels_record
        else "What ShanghaiTech's own labels give is not recorded in this copy of the project; see the chapter on the labels alone for how to run it."
    ),
    display=False,
)
shared = against.get("same-clips", {}).get("PaDiM")
training = against.get("official-split", {}).get("PaDiM")
glue(
    "padim_sources",
    f"PaDiM minus PaDiM under {protocol}: {shared:+.3f} on normal frames of the tested clips, {training:+.3f} on those of training clips"
    if shared and training
    else "not measured in this build",
    display=False,
)
glue("lost_prototypes", lost_without_leakage(against, "Prototypes"), display=False)
glue("lost_padim", lost_without_leakage(against, "PaDiM"), display=False)
glue(
    "best_blind",
    f"{blind_here[best_blind]['micro_auroc_interval']['estimate']:.3f} ({best_blind.replace('_', ' ')})",
    display=False,
)
largest = max(processing, key=lambda name: processing[name]["both"] - processing[name]["micro"])
glue(
    "largest_processing",
    f"{largest}, from {processing[largest]['micro']:.3f} to {processing[largest]['both']:.3f}",
    display=False,
)
padding = max(processing, key=lambda name: processing[name]["padded"] - (processing[name]["macro"] or 0))
glue(
    "padding",
    f"{padding}: {processing[padding]['padded']:.3f} padded, "
    + (f"{processing[padding]['macro']:.3f} without" if processing[padding]["macro"] else "undefined without"),
    display=False,
)
glue("protocol", protocol, display=False)
glue("n_frames", f"{len(scores):,}", display=False)
glue("n_upstream", f"{len(own_scores):,}", display=False)
glue("n_rows_per_clip", f"{len(own_scores) / own_scores['clip'].nunique():.0f}", display=False)
glue("near_similarity", near_similarity, display=False)
glue("prevalence", f"{prevalence:.0%}", display=False)
glue("recall", f"{recall:.0%}", display=False)
glue("gap_s", f"{gap_s:g}", display=False)
glue("draw_note", draws.in_words, display=False)
glue("data_note", data_note(dataset, trials.network(own).record, copy=videos), display=False)
glue(
    "chapter_line",
    chapter_line(
        profile=profile,
        dataset=dataset,
        network=", ".join(
            dict.fromkeys(
                f"{network.record.architecture} ({network.record.name})"
                for network in (trials.network(trial.network) for trial in wanted.values())
            )
        ),
        n_fit=n_fit_audited,
        n_test=len(scores),
        seconds=run.seconds,
        date=run.started,
    ),
    display=False,
)

# %% [markdown]
# ## What this shows
#
# - Sharing clips between fit and test is worth, over {glue:text}`protocol`: prototypes {glue:text}`lost_prototypes`; PaDiM {glue:text}`lost_padim`.
# - Without a look at a picture, the highest AUROC on this build's labels is {glue:text}`best_blind`.
# - Stretching and smoothing, with the width chosen on the test labels, adds most to {glue:text}`largest_processing`.
# - Padding clips adds most to {glue:text}`padding`.
#
# ## What this does not show
#
# The paper's own frames are not known, so nobody can say which protocol it followed. What can be said is which AUROCs each protocol and each
# habit give away for nothing. The draws are small for the sake of many fits; the intervals say what that costs.
#
# Downloads: {download}`this chapter's script <../results/23_protocols/23_protocols.py>` ·
# {download}`scores <../results/23_protocols/scores.csv>` · {download}`metrics <../results/23_protocols/metrics.json>` ·
# {download}`run record <../results/23_protocols/run.json>` ·
# {download}`the first figure as SVG <../results/23_protocols/figures/protocols.svg>`
