# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What happened in front of the camera
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **When would each detector have called somebody, and was there a reason?** {glue:text}`answer` {glue:text}`left_out`

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18"  # network of PaDiM: resnet18 or efficientnet_lite0
classifier = "resnet18"  # network of Grad-CAM + SSIM and SPADE: resnet18 or efficientnet_lite0
embedder = "clip_vision"  # network of the prototypes: clip_vision, resnet18 or efficientnet_lite0
weights = "bundled"  # of the report's networks: imagenet, bundled, random, or a file
classifier_weights: str | None = None  # of the classifier; None: the same as weights
embedder_weights: str | None = None  # of the embedder; None: the same as weights
seed = 0  # of the clips held out, reductions, K-Means, random weights and the bootstrap
image_size = 224  # pixels, height and width of the frames as read
batch_size = 32  # frames
held_out_share = 0.5  # of the normal footage: not fitted on, thresholds are chosen on it
guard_seconds = 2.0  # left out between the two parts where a clip has to be cut
n_fit_watch = 200  # normal frames that every detector is fitted on
frames_a_second = 5.0  # that are scored, of the held-out footage and of the footage watched
max_frames_watch = 4000  # frames scored at most; longer footage is sampled more sparsely
alarm_unit = "frames"  # of the promise: frames (a share of normal frames) or alarms an hour
alarm_method = "quantile"  # that turns it into a threshold: quantile or extreme-value
promised_share = 0.02  # of normal frames at or above the threshold
promised_alarms = 60.0  # alarms an hour of normal footage
low_share = 0.1  # of normal frames at or above the low threshold, where an alarm begins and ends
min_seconds = 0.4  # shorter alarms are dropped
max_gap_seconds = 1.0  # alarms this close are one
max_seconds = 10.0  # an alarm that lasts longer is raised again
n_components = 300  # dimensions that PaDiM keeps, at most
n_neighbours = 50  # of SPADE, at most
n_prototypes = 100  # of normal frames, at most
n_timelines = 10  # clips shown, those with the strangest moments
n_examples = 3  # frames shown of each kind
n_in_viewer = 10  # clips in the interactive viewer, those with the strangest moments
n_resamples = 1000  # of the bootstrap over clips
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
device = "auto"  # cpu, cuda, or auto
results_dir = "_build/manual/30_footage"  # folder to write the results to

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from IPython.display import HTML
from myst_nb import glue

from vadlib import networks
from vadlib.data import FrameReader, open_dataset
from vadlib.data.footage import hold_out, sample_by_time, spread_over
from vadlib.evaluation import AlarmRule, match_alarms
from vadlib.figures import DETECTOR_COLOURS, clip_timelines, cost_curves, gallery, use_house_style
from vadlib.report import Experiment, project_path
from vadlib.report.words.common import chapter_line, data_note, network_name
from vadlib.report.words.footage import (
    costs_of_alarms,
    hours_and_minutes,
    rate_sentence,
    table_of_alarms,
)
from vadlib.report.words.footage_left_out import check_enough_left, facts_sentence, left_out_sentence, table_of_left_out
from vadlib.report.words.footage_overview import overview_of_clips
from vadlib.studies.false_alarm_targets import FalseAlarmTarget, check_targets, target_sentence, thresholds_for_target
from vadlib.studies.footage import (
    alarms_of_all,
    choose_scenes_to_show,
    fit_without_labels,
    gallery_rows,
    merge_alarms,
    score_together,
    standardised,
    timelines_of,
)
from vadlib.studies.footage_truth import (
    answer_sentence,
    match_alarms_with_labels,
    page_sentences,
    true_events,
    why_no_roc,
)
from vadlib.studies.runner import FramesInMemory
from vadlib.viewer.clips import clips_to_show
from vadlib.viewer.page import embed_viewer, write_viewer

use_house_style()
run = Experiment.from_notebook("30_footage", globals())

# %% tags=["hide-input", "remove-output"]
videos = open_dataset(
    dataset, project_path(dataset_root), allow_missing=allow_missing, skip_unreadable=skip_unreadable
).with_pictures()
table = videos.frame_table()
fps = {clip.id: clip.fps for clip in videos.clips}
training, tested = table[table["split"] == "train"], table[table["split"] == "test"]
normal_footage = hold_out(training, fps, share=held_out_share, guard_s=guard_seconds, seed=seed)
fitted_on = spread_over(normal_footage.fit, n_fit_watch, seed=seed)
to_score = pd.concat([normal_footage.held, tested]).sort_index()
to_score, rate = sample_by_time(to_score, fps, rate=frames_a_second, max_frames=max_frames_watch)
classifier_network = getattr(networks, classifier)(classifier_weights or weights, seed=seed)
network_of = {
    "backbone": getattr(networks, backbone)(weights, seed=seed),
    "classifier": classifier_network,
    "SPADE": classifier_network,
    "embedder": getattr(networks, embedder)(embedder_weights or weights, seed=seed),
}
network = network_of["backbone"]
run.record(dataset=videos, weights=network.record.as_dict(), precision=network.precision)

# %% tags=["hide-input", "remove-output"]
size = (image_size, image_size)
reading = {"size": size, "batch_size": batch_size, "skip_unreadable": skip_unreadable}
with run.stage("fit"):
    fit_reader = FrameReader(videos, fitted_on, description="normal frames", **reading)
    frames = FramesInMemory(fit_reader).select(fitted_on)
    check_enough_left(fit_reader, "train", "to fit on")
    fitted_on = fitted_on.drop(fitted_on.index[frames.skipped])
    detectors = fit_without_labels(network_of, frames, globals(), seed=seed, device=device)
    del frames
reader = FrameReader(videos, to_score, description="scoring", **reading)
with run.stage("score"):
    columns = score_together(detectors, reader)
check_enough_left(reader, "train", "held out to choose thresholds on")
check_enough_left(reader, "test", "to score")
left_out = table_of_left_out(videos, [fit_reader, reader])
run.record(left_out=left_out.to_dict("records"))
is_watched = (to_score["split"] == "test").to_numpy()
watching = {name: values[is_watched] for name, values in columns.items()}
skipped = np.isin(np.flatnonzero(is_watched), reader.skipped).nonzero()[0]
run.scores(to_score[is_watched], watching, skipped=skipped)
everything = to_score.assign(**columns).dropna(subset=list(detectors))
normal, scores = everything[everything["split"] == "train"], everything[everything["split"] == "test"]

# %% [markdown]
# ## How the alarms come about
#
# {glue:text}`n_fitted` normal frames are fitted on by every detector. Other normal footage, {glue:text}`held_minutes` that no detector was fitted
# on ({glue:text}`held_how`), says what scores are usual: thresholds come from it alone. {glue:text}`rate_sentence`
# {glue:text}`facts_sentence`
#
# An alarm begins and ends where the score passes a low threshold, which {glue:text}`low_share` of the held-out normal frames reach, and is
# one only if it reaches the high threshold in between; alarms less than {glue:text}`max_gap_seconds` s apart are one, shorter ones than
# {glue:text}`min_seconds` s are dropped, and one that lasts longer than {glue:text}`max_seconds` s is raised again. {glue:text}`promise_note`

# %% tags=["hide-input", "remove-output"]
rule = AlarmRule(min_seconds, max_gap_seconds, max_seconds)
deciding = {"fps": fps, "rule": rule, "low_share": low_share}
asked = {
    "frames": FalseAlarmTarget(promised_share, "frames", alarm_method),
    "alarms an hour": FalseAlarmTarget(promised_alarms, "alarms an hour", alarm_method),
}[alarm_unit]
thresholds, promise, promise_note = thresholds_for_target(normal, list(detectors), asked, **deciding)
alarms = alarms_of_all(scores, thresholds, fps=fps, rule=rule)
strange = standardised(scores, normal, list(detectors))
known = scores[scores["label"] >= 0]
events = true_events(videos.events, tested, known["clip"])
has_truth = events is not None
moments = merge_alarms(alarms, scores, strange["strangeness"].to_numpy(), fps)
if has_truth:
    moments["true"] = match_alarms_with_labels(moments, events, known["clip"])

# %% [markdown]
# ## Over time
#
# {numref}`fig-timelines` has the clips with the strangest moments. {glue:text}`timelines_sentence`

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-timelines", "caption": "Scores of all detectors over time, in standard deviations from the mean of held-out normal frames (logarithmic above 4), one panel a clip. Bars below: alarms of each detector. Shaded, where there are labels: anomalous."}, "image": {"alt": "Panels of score curves over seconds, one a clip, with bars where each detector raises an alarm"}}
by_strangeness = strange["strangeness"].groupby(scores["clip"]).max().sort_values(ascending=False).index.tolist()
shown_clips = timelines_of(by_strangeness[:n_timelines], scores, strange, alarms, videos.labels, fps)
timelines_figure = clip_timelines(shown_clips, DETECTOR_COLOURS, ylabel="standard deviations")
run.figure("timelines", timelines_figure, caption="Scores of all detectors over time, and their alarms.")

# %% [markdown]
# {glue:text}`overview_sentence`

# %% tags=["hide-input"]
is_long = scores["clip"].nunique() > n_timelines
overview_of_clips(videos, scores, strange["strangeness"].to_numpy(), moments, fps) if is_long else None

# %% [markdown]
# ## What was seen
#
# Alarms of several detectors that overlap are one moment. {glue:text}`moments_sentence` Strangeness is the mean of the four scores, each in
# standard deviations from the mean of held-out normal frames, at the moment's strangest frame.

# %% tags=["hide-input"]
listed = moments.head(20).reset_index(drop=True)
moments_table = pd.DataFrame(
    {
        "clip": listed["clip"],
        "from, s": listed["start_s"].map("{:.1f}".format),
        "to, s": listed["end_s"].map("{:.1f}".format),
        "strangeness": listed["strangeness"].map("{:.1f}".format),
        "raised by": listed["detectors"],
    }
)
if has_truth:
    moments_table["an event?"] = listed["true"]
moments_table

# %% [markdown]
# {numref}`fig-gallery` shows them. {glue:text}`gallery_sentence` Beside each frame are the normal frames, of those fitted on, that are most like
# it by their pooled features, as SPADE finds them.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-gallery", "caption": "Left: the frame. Then PaDiM's heatmap over it, one scale for all, and the most similar normal frames. The title says what kind of moment it is, where and when, and how strange. Outline: ground truth, where there is one."}, "image": {"alt": "Rows of pictures: a frame, the same frame with a heatmap, and two similar normal frames"}}
shown = choose_scenes_to_show(
    moments, known if has_truth else scores, strange.loc[known.index if has_truth else scores.index, "strangeness"],
    events=events, fps=fps, n=n_examples,
)  # fmt: skip
rows = gallery_rows(videos, detectors, fitted_on, shown, size)
gallery_figure = gallery(rows, label="PaDiM's heatmap: Mahalanobis distance")
run.figure("gallery", gallery_figure, caption="Frames, heatmaps and the most similar normal frames.")

# %% [markdown]
# ## What the alarms cost
#
# {glue:text}`cost_sentence` {numref}`fig-cost` shows it for every high threshold, down to the low one; the dots are the thresholds in use.

# %% tags=["hide-input"]
table_of_alarms(scores, alarms, events=events, fps=fps, n_resamples=n_resamples, seed=seed)

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-cost", "caption": "What alarms cost. With labelled events: share of them that an alarm overlaps, against false alarms an hour. Without: alarms an hour in the footage watched, against those in held-out normal footage; on the dotted line the two are alike. Dots: the thresholds in use."}, "image": {"alt": "Step curves, one a detector, rising from the strictest threshold to the loosest"}}
costs = costs_of_alarms(normal, scores, known, events, thresholds, fps=fps, rule=rule)
cost_figure = cost_curves(
    costs.curves, costs.in_use, DETECTOR_COLOURS, **costs.axes, diagonal=not (has_truth and len(events))
)
run.figure("cost", cost_figure, caption="What alarms cost, and what they bring, at every threshold.")

# %% [markdown]
# {glue:text}`roc_sentence`
#
# ## Promised and kept
#
# **{glue:text}`target_sentence`**
#
# A threshold promises a rate of false alarms. The held-out footage can check that without labels: block by block, with a threshold chosen on
# the other blocks. Where labels say which of the frames watched are normal, the promise is checked there too, with 95 % intervals. The quantile
# reads the rate off the scores that there are; the extreme-value fit (peaks over threshold, a generalised Pareto distribution) goes beyond
# them, and takes enough of them to fit. Alarms are counted after runs of neighbouring frames, which are alike, have become one.

# %% tags=["hide-input"]
normal_watched = known[known["label"] == 0]
every_promise = [
    FalseAlarmTarget(amount, unit, method)
    for unit, amount in (("frames", promised_share), ("alarms an hour", promised_alarms))
    for method in ("quantile", "extreme-value")
]
every_promise = list(dict.fromkeys([promise, *every_promise]))
kept, unchecked = check_targets(
    normal, normal_watched if len(normal_watched) else None, list(detectors), every_promise, seed=seed, **deciding
)
kept

# %% [markdown]
# {glue:text}`unchecked`
#
# ## Look for yourself
#
# The frames scored of the {glue:text}`n_viewed` clips with the strangest moments, with PaDiM's heatmap over them. Space plays, the arrow keys step, the line in
# the curves can be dragged along, and so can the threshold.

# %% tags=["hide-input"]
every_alarm = pd.concat([found.assign(detector=name) for name, found in alarms.items()], ignore_index=True)
viewed = scores[scores["clip"].isin(by_strangeness[:n_in_viewer])]
with run.stage("viewer"):
    viewer_clips, heat_limits = clips_to_show(
        videos, viewed, {"PaDiM": detectors["PaDiM"]}, size=size, batch_size=batch_size
    )
run.attach(
    "viewer.html",
    lambda path: write_viewer(
        path,
        viewer_clips,
        viewed,
        list(detectors),
        thresholds={name: found.high for name, found in thresholds.items()},
        threshold_rule="chosen on held-out normal footage",
        alarms=every_alarm[every_alarm["clip"].isin(by_strangeness[:n_in_viewer])],
        alarm_rule=f"An alarm begins and ends at a lower threshold and lasts at least {min_seconds:g} s",
        heat_limits=heat_limits,
        title="What happened in front of the camera",
        note=data_note(dataset, network.record),
    ),
)
HTML(embed_viewer("30_footage"))

# %% [markdown]
# ## What could not be read
#
# {glue:text}`left_out_note`

# %% tags=["hide-input"]
left_out if len(left_out) else None

# %% tags=["remove-cell"]
clips_table = pd.DataFrame(
    [
        {"clip": clip.id, "scene": clip.scene, "fps": clip.fps, "n_frames": clip.n_frames, "path": clip.path.name}
        for clip in videos.clips
        if clip.split == "test"
    ]
)
run.attach("alarms.csv", lambda path: every_alarm.to_csv(path, index=False))
run.attach("moments.csv", lambda path: moments.to_csv(path, index=False))
run.attach("clips.csv", lambda path: clips_table.to_csv(path, index=False))
if has_truth:
    run.attach("events.csv", lambda path: events[["clip", "first", "last", "event"]].to_csv(path, index=False))
usual = normal[list(detectors)]
found_events = match_alarms(moments, events)[1] if has_truth else np.empty(0)
run.metrics(
    {
        "n_frames": len(scores),
        "n_fit_frames": len(fitted_on),
        "n_held_out_frames": len(normal),
        "frames_a_second": rate,
        "labelled": has_truth,
        "promised": {"rate": promise.rate, "unit": promise.unit, "method": promise.method},
        "thresholds": {
            name: {
                "high": found.high,
                "low": found.low,
                "normal_mean": float(usual[name].mean()),
                "normal_std": float(usual[name].std(ddof=0)),
                "n_alarms": len(alarms[name]),
            }
            for name, found in thresholds.items()
        },
        "n_moments": len(moments),
        "n_events": len(events) if has_truth else None,
        "n_events_found": int(found_events.sum()) if has_truth else None,
        "kept": {" · ".join(key): row.to_dict() for key, row in kept.iterrows()},
    }
)

run.save()
scored_length = hours_and_minutes(scores, fps)
glue("answer", answer_sentence(moments, events, scored_length), display=False)
overview_sentence = "All clips are in this table, by the folders that they lie in, or by the hour." if is_long else ""
if len(left_out):
    overview_sentence = overview_sentence.replace("All clips", "All clips of which frames could be read")
glue("overview_sentence", overview_sentence, display=False)
glue("left_out", left_out_sentence(left_out), display=False)
glue("n_viewed", viewed["clip"].nunique(), display=False)
glue("n_fitted", f"{len(fitted_on):,}", display=False)
glue("held_minutes", hours_and_minutes(normal, fps), display=False)
glue("held_how", normal_footage.how, display=False)
glue("facts_sentence", facts_sentence(videos.facts), display=False)
glue("rate_sentence", rate_sentence(normal, scores, rate, frames_a_second, fps), display=False)
glue("low_share", f"{low_share:.0%}", display=False)
glue("max_gap_seconds", f"{max_gap_seconds:g}", display=False)
glue("min_seconds", f"{min_seconds:g}", display=False)
glue("max_seconds", f"{max_seconds:g}", display=False)
glue("promise_note", promise_note, display=False)
for name, sentence in page_sentences(scores, moments, listed, events, n_timelines, n_left_out=len(left_out)).items():
    glue(name, sentence, display=False)
left_out_note = "These are in no number of this page." if len(left_out) else "Every frame that was drawn could be read."
glue("left_out_note", left_out_note, display=False)
glue("roc_sentence", why_no_roc(known), display=False)
glue("target_sentence", target_sentence(kept, promise), display=False)
glue("unchecked", unchecked, display=False)
glue("data_note", data_note(dataset, network.record, copy=videos), display=False)
glue(
    "chapter_line",
    chapter_line(
        profile=profile,
        dataset=dataset,
        network=", ".join(dict.fromkeys(network_name(found) for found in network_of.values())),
        n_fit=len(fitted_on),
        n_test=len(scores),
        seconds=run.seconds,
        date=run.started,
    ),
    display=False,
)

# %% [markdown]
# ## What this does not show
#
# One model and one threshold serve all cameras of a data set: what is usual at one hides what is unusual at another, and a promise is kept
# over all of them together, not at each. With several cameras of your own, give each a folder, and a book, of its own.
#
# Every detector looks at single frames: what only moves strangely looks like what only moves. A rate promised from some minutes of normal
# footage holds for footage like it, of the same camera in the same light; rain, night or a new parked car are not in it. Thresholds chosen by
# looking at this page's events would find more of them, and fewer of the next.
#
# Downloads: {download}`this chapter's script <../results/30_footage/30_footage.py>` ·
# {download}`scores <../results/30_footage/scores.csv>` · {download}`alarms <../results/30_footage/alarms.csv>` ·
# {download}`moments <../results/30_footage/moments.csv>` · {download}`metrics <../results/30_footage/metrics.json>` ·
# {download}`run record <../results/30_footage/run.json>` · {download}`the timelines as SVG <../results/30_footage/figures/timelines.svg>`
