# %% [markdown]
# # The audit: what an AUROC is worth
#
# **Is 0.797 good, and is PaDiM really better than Grad-CAM?** A number depends on which frames a detector was fitted on, on what was done to its
# scores, and on which clips happened to be filmed. Here the first is measured, and the others [under certainty](27_certainty). {glue:text}`answer`

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18:bundled"  # network of PaDiM and SPADE, and its weights: imagenet, bundled, random, or a file
classifier = "resnet18:bundled"  # of Grad-CAM + SSIM
embedder = "clip_vision:bundled"  # of the prototypes
upstream_dir = "_build/demo/results"  # folder of the other experiments' results
image_size = 224  # pixels, height and width of the frames as read
protocols = ["official-split", "reused-frames", "same-clips", "disjoint-clips", "disjoint-scenes"]  # to fit by
protocol = "disjoint-clips"  # the one that the others are compared with, and the seeds are varied under
n_fit_frames = 60  # frames of each class in each fit (one-class detectors take the normal ones)
n_test_normal: int | None = 100  # normal test frames, the same under every protocol; None for all
n_test_abnormal: int | None = 100  # anomalous ones
n_components = 100  # dimensions that PaDiM keeps (paper: 300)
n_prototypes = 20  # of each class (paper: 100)
n_neighbours = 10  # normal frames that SPADE compares with
seeds = [0, 1, 2, 3, 4]  # of PaDiM's projection, and of K-Means
n_folds = 3  # of the cross-fitted protocols
near_similarity = 0.98  # cosine similarity of two frames' embeddings from which they count as near duplicates
seed = 0  # of the draws, reductions, K-Means, random weights and the bootstrap
batch_size = 32  # frames
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
results_dir = "_build/manual/23_protocols"  # folder to write the results to

# %% tags=["remove-output"]
from vadlib.detectors import catalogue
from vadlib.evaluation import bootstrap_auroc, leakage_report, nearest_fit_label
from vadlib.figures import interval_rows
from vadlib.report import Chapter, stated_aurocs
from vadlib.report.records.recorded import recorded_or_none
from vadlib.report.study_tables import answers_table, gains_table, leakage_table
from vadlib.report.tables import grouped_rows
from vadlib.report.words import protocols as words
from vadlib.studies import protocol_audit as audit
from vadlib.studies.runner import default_specs

chapter = Chapter("23_protocols", globals())
videos = chapter.open_dataset()
draws = chapter.draw_protocols(fit_official=n_fit_frames, fit_each=n_fit_frames)
splits = audit.require_protocols(draws, ("official-split", "disjoint-clips", protocol))
runner = chapter.runner(splits["official-split"], splits["disjoint-clips"], others=splits.values())
networks = {"backbone": backbone, "classifier": classifier, "embedder": embedder}
specs = default_specs(networks, image_size, vars(chapter.given), learns_from=catalogue.FITTED)
with chapter.stage("protocols"):
    by_protocol = audit.scores_by_protocol(runner, specs, splits)
with chapter.stage("seeds"):
    drawing = {name: spec for name, spec in specs.items() if "seed" in catalogue.entry(name).cls.varied}
    by_seed = audit.scores_by_seed(runner, drawing, splits[protocol], seeds)
with chapter.stage("embeddings"):
    embeddings = runner.embeddings(embedder, image_size)

# %% [markdown]
# ## The same detectors under every protocol
#
# All of {numref}`fig-protocols-aurocs` is of the same {glue:text}`n_frames` test frames, the same networks and the same settings. Only the frames that a detector
# is fitted on change hands: from training videos, from the test frames themselves, from the tested clips, from other clips, from other cameras.
# The grey rows look at no picture: the label of the nearest frame in time that was handed out for fitting, or, where none of the clip was, the scene's
# rate among those that were. {glue:text}`draw_note`

# %%
columns, skipped = audit.score_columns(by_protocol, draws.tested)
scored = chapter.scores(draws.tested, columns, n_fit=n_fit_frames, skipped=skipped)
readable = draws.tested.drop(draws.tested.index[skipped])
aurocs = {where: {name: scored.intervals[f"{name}, {where}"] for name in group} for where, group in by_protocol.items()}
blind = {
    where: bootstrap_auroc(scored.table["label"], nearest_fit_label(split, readable), **scored.resampling)
    for where, split in splits.items()
}
rows = {where: {**group, "no picture: the fit frames' labels": blind[where]} for where, group in aurocs.items()}
chapter.figure(
    "aurocs",
    interval_rows(grouped_rows(rows, {entry.title: entry.colour for entry in catalogue.entries()})),
    "AUROC of every detector under every protocol, on the same test frames, with 95 % intervals over clips. Grey: what "
    "the labels handed out for fitting get under that protocol, without a picture.",
    alt="Dots with intervals in groups, one group a protocol, one row a detector, and a grey row for a score that looks "
    "at no picture",
)

# %% [markdown]
# How far each stands above the same detector under {glue:text}`protocol`, on the same resamples of the clips; each interval is for itself, not corrected
# for their number. Network, settings and test frames are the same. Two things come with a protocol besides the place of the fit frames: there may be
# fewer of them (said above), and under the cross-fitted ones scores of several fits are pooled, which are not on one scale. Compared within folds only,
# the prototypes' AUROC under {glue:text}`protocol` is {glue:text}`within_prototypes` instead of {glue:text}`pooled_prototypes`.

# %%
against = {
    where: {name: scored.difference(f"{name}, {where}", f"{name}, {protocol}") for name in group}
    for where, group in aurocs.items()
    if where != protocol
}
gains_table(against)

# %% [markdown]
# ## How near the fitted frames are
#
# A near duplicate is a test frame whose embedding has a cosine similarity of at least {glue:text}`near_similarity` with one that the detector was fitted
# on, of whatever clip. A fixed camera sees the same walls all day, so some are there under every protocol; what a protocol adds is the rest. The table
# counts all frames handed out for fitting; detectors of one class take the normal ones among them.

# %%
fps, near = {clip.id: clip.fps for clip in videos.clips}, {"embeddings": embeddings, "threshold": near_similarity}
leakage = {where: leakage_report(split, fps, **near) for where, split in splits.items()}
leakage_table(leakage, splits)

# %% [markdown]
# ## What the paper's three numbers can and cannot mean
#
# {glue:text}`records_sentence`

# %%
labels_alone, claims = chapter.upstream("22_labels_alone"), chapter.upstream("21_claims")
blind_scores, comparisons = labels_alone.metrics["scores"], claims.metrics["comparisons"]
found = {"by_protocol": aurocs, "blind_by_protocol": blind, "comparisons": comparisons, "against": against}
found["within_folds"] = audit.aurocs_within_folds(scored.table, aurocs[protocol], protocol, splits[protocol].folds)
labels_record, ped2 = map(recorded_or_none, ("shanghaitech-labels-22_labels_alone", "ped2-offline-23_protocols"))
answers_table(words.audit_answers(found, blind_scores, ped2, labels_record))

# %% tags=["remove-cell"]
chapter.say(
    **words.audit_sentences(found, protocol),
    draw_note=words.draws_sentence(draws),
    best_blind=words.best_blind_sentence(blind_scores),
    records_sentence=words.records_sentence(labels_record, stated_aurocs()),
    n_frames=len(scored),
)
spreads = audit.spread_over_seeds(by_seed, readable, n_resamples=n_resamples, seed=seed)
chapter.close(scored, **found, leakage=leakage, seeds=spreads, draws=draws.changed)

# %% [markdown]
# ## What this shows
#
# - Sharing clips between fit and test is worth, over {glue:text}`protocol`: prototypes {glue:text}`lost_prototypes`; PaDiM {glue:text}`lost_padim`.
# - Without a look at a picture, the highest AUROC on this build's labels is {glue:text}`best_blind`.
#
# ## What this does not show
#
# The paper's own frames are not known, so nobody can say which protocol it followed. What can be said is which AUROCs each protocol and each
# habit give away for nothing. The draws are small for the sake of many fits; the intervals say what that costs.
