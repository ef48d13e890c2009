# %% [markdown]
# # What happened in front of the camera
#
# **When would each detector have called somebody, and was there a reason?** {glue:text}`answer` {glue:text}`left_out`

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
backbone = "resnet18:bundled"  # network of PaDiM: resnet18 or efficientnet_lite0, and its weights
classifier = "resnet18:bundled"  # network of Grad-CAM + SSIM and SPADE: resnet18 or efficientnet_lite0
embedder = "clip_vision:bundled"  # network of the prototypes: clip_vision, resnet18 or efficientnet_lite0
seed = 0  # of the clips held out, reductions, K-Means, random weights and the bootstrap
image_size = 224  # pixels, height and width of the frames as read
batch_size = 32  # frames
held_out_share = 0.5  # of the normal footage: not fitted on, thresholds are chosen on it
guard_seconds = 2.0  # left out between the two parts where a clip has to be cut
n_fit_frames = 200  # normal frames that every detector is fitted on
frames_a_second = 5.0  # that are scored, of the held-out footage and of the footage watched
max_frames = 4000  # frames scored at most; longer footage is sampled more sparsely
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

# %% tags=["remove-output"]
from functools import partial

import numpy as np
from IPython.display import HTML

from vadlib.detectors.catalogue import colours
from vadlib.evaluation import AlarmRule
from vadlib.figures import clip_timelines, cost_curves, gallery
from vadlib.report import Chapter
from vadlib.report.footage_page import (
    clips_table,
    facts_sentence,
    footage_sentences,
    moments_table,
    overview_of_clips,
    table_of_alarms,
    target_sentence,
)
from vadlib.report.words.common import data_sentence
from vadlib.studies.alarm_costs import costs_of_alarms
from vadlib.studies.false_alarm_targets import FalseAlarmTarget
from vadlib.studies.footage import choose_scenes_to_show, gallery_rows, timelines_of
from vadlib.studies.footage_alarms import find_alarms
from vadlib.studies.footage_frames import fit_on_footage, score_footage, split_footage, table_of_left_out
from vadlib.viewer.clips import AlarmViewer
from vadlib.viewer.page import embed_viewer

chapter = Chapter("30_footage", globals())
videos = chapter.open_dataset()
networks = {"backbone": chapter.open_network(backbone), "classifier": chapter.open_network(classifier)}
networks |= {"SPADE": networks["classifier"], "embedder": chapter.open_network(embedder)}
frames = split_footage(
    videos, held_out_share=held_out_share, guard_s=guard_seconds, n_fit=n_fit_frames, frames_a_second=frames_a_second,
    max_frames=max_frames, seed=seed,
)  # fmt: skip
fit_reader, reader = chapter.read(frames.fit, "normal frames"), chapter.read(frames.to_score, "scoring")
with chapter.stage("fit"):
    detectors, fitted_on = fit_on_footage(networks, fit_reader, vars(chapter.given), seed=seed, device=device)
with chapter.stage("score"):
    scored = score_footage(detectors, reader)
left_out = table_of_left_out(videos, [fit_reader, reader])
chapter.run.record(left_out=left_out.to_dict("records"))
watched = scored[scored["split"] == "test"]
unread = np.flatnonzero(watched[list(detectors)].isna().any(axis=1))
chapter.run.scores(watched, dict(watched[list(detectors)]), skipped=unread)
scored = scored.dropna(subset=list(detectors))
targets = {
    "frames": FalseAlarmTarget(promised_share, "frames", alarm_method),
    "alarms an hour": FalseAlarmTarget(promised_alarms, "alarms an hour", alarm_method),
}
rule = AlarmRule(min_seconds, max_gap_seconds, max_seconds)
found = find_alarms(scored, detectors, videos, targets[alarm_unit], rule=rule, low_share=low_share)

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

# %% [markdown]
# ## Over time
#
# {numref}`fig-footage-timelines` has the clips with the strangest moments. {glue:text}`timelines_sentence`

# %%
timelines = timelines_of(
    found.strangest_clips[:n_timelines], found.scores, found.strange, found.alarms, videos.labels, found.fps
)
chapter.figure(
    "timelines",
    clip_timelines(timelines, colours(), ylabel="standard deviations"),
    "Scores of all detectors over time, in standard deviations from the mean of held-out normal frames (logarithmic "
    "above 4), one panel a clip. Bars below: alarms of each detector. Shaded, where there are labels: anomalous.",
    alt="Panels of score curves over seconds, one a clip, with bars where each detector raises an alarm",
)

# %% [markdown]
# {glue:text}`overview_sentence`

# %%
is_long = found.scores["clip"].nunique() > n_timelines
overview_of_clips(videos, found.scores, found.strangeness, found.moments, found.fps) if is_long else None

# %% [markdown]
# ## What was seen
#
# Alarms of several detectors that overlap are one moment. {glue:text}`moments_sentence` Strangeness is the mean of the four scores, each in
# standard deviations from the mean of held-out normal frames, at the moment's strangest frame.

# %%
listed = found.moments.head(20).reset_index(drop=True)
moments_table(listed)

# %% [markdown]
# {numref}`fig-footage-gallery` shows them. {glue:text}`gallery_sentence` Beside each frame are the normal frames, of those fitted on, that are most like
# it by their pooled features, as SPADE finds them.

# %%
shown = choose_scenes_to_show(
    found.moments, found.to_show, found.strange.loc[found.to_show.index, "strangeness"],
    events=found.events, fps=found.fps, n=n_examples,
)  # fmt: skip
chapter.figure(
    "gallery",
    gallery(
        gallery_rows(videos, detectors, fitted_on, shown, (image_size, image_size)),
        label="PaDiM's heatmap: Mahalanobis distance",
    ),
    "Left: the frame. Then PaDiM's heatmap over it, one scale for all, and the most similar normal frames. The title says "
    "what kind of moment it is, where and when, and how strange. Outline: ground truth, where there is one.",
    alt="Rows of pictures: a frame, the same frame with a heatmap, and two similar normal frames",
)

# %% [markdown]
# ## What the alarms cost
#
# {glue:text}`cost_sentence` {numref}`fig-footage-cost` shows it for every high threshold, down to the low one; the dots are the thresholds in use.

# %%
table_of_alarms(found.scores, found.alarms, events=found.events, fps=found.fps, n_resamples=n_resamples, seed=seed)

# %%
costs = costs_of_alarms(found)
chapter.figure(
    "cost",
    cost_curves(costs.curves, costs.in_use, colours(), **costs.axes),
    "What alarms cost. With labelled events: share of them that an alarm overlaps, against false alarms an hour. Without: "
    "alarms an hour in the footage watched, against those in held-out normal footage; on the dotted line the two are "
    "alike. Dots: the thresholds in use.",
    alt="Step curves, one a detector, rising from the strictest threshold to the loosest",
)

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

# %%
kept, unchecked = found.check(targets.values(), seed=seed)
kept

# %% [markdown]
# {glue:text}`unchecked`
#
# ## Look for yourself
#
# The frames scored of the {glue:text}`n_viewed` clips with the strangest moments, with PaDiM's heatmap over them. Space plays, the arrow keys step, the line in
# the curves can be dragged along, and so can the threshold.

# %%
with chapter.stage("viewer"):
    options = {"n_clips": n_in_viewer, "size": (image_size, image_size), "batch_size": batch_size}
    viewer = AlarmViewer(videos, found, {"PaDiM": detectors["PaDiM"]}, **options)
note = data_sentence(dataset, networks["backbone"].record)
chapter.run.attach("viewer.html", partial(viewer.write, title="What happened in front of the camera", note=note))
HTML(embed_viewer("30_footage"))

# %% [markdown]
# ## What could not be read
#
# {glue:text}`left_out_note`

# %%
left_out if len(left_out) else None

# %% tags=["remove-cell"]
tables = {"alarms": found.every_alarm, "moments": found.moments, "clips": clips_table(videos), "events": found.events}
for name, table in tables.items():
    if table is not None:
        chapter.run.attach(f"{name}.csv", partial(table.to_csv, index=False))
rates = {"rate": frames.rate, "asked_rate": frames_a_second}
chapter.say(
    **footage_sentences(found, left_out, listed, n_timelines=n_timelines, **rates),
    facts_sentence=facts_sentence(videos.facts),
    held_how=frames.how,
    low_share=f"{low_share:.0%}",
    n_fitted=len(fitted_on),
    n_viewed=viewer.n_clips,
    target_sentence=target_sentence(kept, found.target),
    unchecked=unchecked,
)
rows = {" · ".join(key): row.to_dict() for key, row in kept.iterrows()}
chapter.n_fit, chapter.n_test = len(fitted_on), len(found.scores)
chapter.close(**found.metrics(), n_fit_frames=len(fitted_on), frames_a_second=frames.rate, kept=rows)

# %% [markdown]
# ## What this does not show
#
# One model and one threshold serve all cameras of a data set: what is usual at one hides what is unusual at another, and a promise is kept
# over all of them together, not at each. With several cameras of your own, give each a folder, and a book, of its own.
#
# Every detector looks at single frames: what only moves strangely looks like what only moves. A rate promised from some minutes of normal
# footage holds for footage like it, of the same camera in the same light; rain, night or a new parked car are not in it. Thresholds chosen by
# looking at this page's events would find more of them, and fewer of the next.
