# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # What the labels alone give
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **What AUROC does a score have that never looks at a picture?** On the labels of {glue:text}`n_test_clips` test clips, being near the middle of
# the clip is worth {glue:text}`middle_auroc`; {glue:text}`answer`. An AUROC says something about
# pictures only where it is above what its protocol lets such scores have.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set; its labels are enough, no frame is read
dataset_root = "_build/demo/data"  # its folder
seed = 0  # of the draws and the bootstrap
compared_protocols = [
    "official-split",
    "reused-frames",
    "same-clips",
    "disjoint-clips",
    "disjoint-scenes",
]  # by which to draw
n_fit_frames = 600  # normal training frames to fit on, under official-split (paper: 2,000)
n_fit_frames_clip = 300  # frames of each class to fit on, under the other protocols (paper: 2,000)
n_test_normal: int | None = 600  # normal test frames; None for all (paper: 4,000)
n_test_abnormal: int | None = 600  # anomalous test frames; None for all (paper: 4,000)
n_folds = 5  # of the cross-fitted protocols
n_resamples = 1000  # of the bootstrap over clips
n_simulated = 100  # data sets in each design of the coverage simulation (1,000 or more for a figure to be quoted)
n_shuffles = 50  # of the scenes over the clips, to see what the scenes' rates give when scenes say nothing
simulated_aurocs = [0.6, 0.8]  # true AUROCs of the simulated scores
simulated_clips = [None, 12]  # clips in a simulated data set; None: as many as there are test clips
shown_clip: str | None = None  # clip in the first figure; None: one of typical length
allow_missing = False  # keep to the clips that have pictures, as other chapters do; by default labels alone will do
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
results_dir = "_build/manual/22_labels_alone"  # folder to write the results to

# %% tags=["hide-input"]
import numpy as np
import pandas as pd
from myst_nb import glue

from vadlib.data import open_dataset
from vadlib.evaluation import (
    BLIND_BASELINES,
    auroc,
    blind_scores,
    bootstrap_auroc,
    coverage_study,
    leakage_report,
    nearest_fit_label,
    shuffled_scene_rates,
    summarize,
)
from vadlib.figures import BLIND, DETECTOR_COLOURS, interval_rows, protocol_timelines, use_house_style
from vadlib.report import Experiment, load_paper_values, project_path
from vadlib.report.words.common import DATASET_NAMES, chapter_line, data_note
from vadlib.studies.draws import against_stated, draw_protocols, frames_of_clip, typical_clip

use_house_style()
run = Experiment.from_notebook("22_labels_alone", globals())
videos = open_dataset(dataset, project_path(dataset_root), allow_missing=True, skip_unreadable=skip_unreadable)
videos = videos.with_pictures() if allow_missing else videos
table = videos.frame_table()
test_frames = table[table["split"] == "test"]
fps = {clip.id: clip.fps for clip in videos.clips}
run.record(dataset=videos, missing=list(videos.missing))

# %% [markdown]
# ## Where a detector's frames come from
#
# The same test frames under every protocol; what differs is where the frames come from that a detector is fitted on. With `official-split` they
# are normal frames of training videos. Anomalous frames exist in test videos only, so whoever fits on some takes them from there: from the
# tested frames themselves (`reused-frames`), from the tested clips (`same-clips`), from other clips (`disjoint-clips`), or from other cameras
# (`disjoint-scenes`). The last two are cross-fitted: each clip is scored by a detector that was fitted without it. The paper does not say which
# of them it did. {glue:text}`draw_note`

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-protocol-timelines", "caption": "One test clip under each protocol. Above each line: the frames of this clip that the detector is fitted on, in the colour of their label. Below: the frames that it is tested on. Shaded: labelled anomalous."}, "image": {"alt": "One line a protocol along a clip, with ticks for fitted frames and for tested frames"}}
draws = draw_protocols(
    table,
    compared_protocols,
    fit_official=n_fit_frames,
    fit_each=n_fit_frames_clip,
    test_normal=n_test_normal,
    test_abnormal=n_test_abnormal,
    seed=seed,
    n_folds=n_folds,
)
tested = draws.tested
clip = shown_clip or typical_clip(tested, table)
lanes = {name: frames_of_clip(split, clip) for name, split in draws.splits.items()}
timelines_figure = protocol_timelines(
    lanes,
    videos.labels[clip],
    fps[clip],
    title=f"clip {clip}",
    notes={name: f"{len(fit)} fitted, {len(test)} tested" for name, (fit, test) in lanes.items()},
)
run.figure("timelines", timelines_figure, caption="One test clip under each protocol: fitted and tested frames.")

# %% [markdown]
# ## How near is near
#
# Frames less than a second apart are all but the same picture. Where a detector was fitted on one and is tested on the other, it is enough to
# remember.

# %% tags=["hide-input"]
leakage = {name: leakage_report(split, fps) for name, split in draws.splits.items()}
pd.DataFrame(
    {
        name: {
            "folds": found["n_folds"],
            "fit frames, each fold": f"{len(draws.splits[name].folds[0].fit):,}",
            "test frames": f"{found['n_test_frames']:,}",
            "clips both fitted and tested": f"{found['n_shared_clips']} of {found['n_test_clips']}",
            "test frames in them": f"{found['share_in_shared_clips']:.0%}",
            "frames to the nearest fit frame, median": "none in the clip"
            if found["median_distance_frames"] is None
            else f"{found['median_distance_frames']:g}",
            "test frames within 1 s of a fit frame": f"{found['share_within_1_s']:.0%}",
            "test frames fitted on": f"{found['share_reused']:.0%}",
            "test frames whose scene is fitted on": f"{found['share_in_shared_scenes']:.0%}",
        }
        for name, found in leakage.items()
    }
)

# %% [markdown]
# ## Scores that look at no picture
#
# Each is made of labels and positions alone. The oracles use the labels that they are judged by, so nobody could use them, but a network that
# knows the camera by its background can come near the scene's. Position and length need no label. The label of the nearest fit frame is what
# a protocol gives away: it is the score of a detector that does nothing but recognise the pictures nearest in time. Where no frame of the clip was
# fitted on, it falls back to the rate of anomalies among the fit frames of the scene, and then among all. For position, middle and
# length a value below 0.5 is worth as much as one as far above it. A rate that leaves the tested clip out is another matter: leaving it out pushes the
# value below 0.5 where scenes say nothing. With the scenes dealt out to the clips at random it averages {glue:text}`shuffled_scenes`, and the oracle, which
# leaves nothing out, {glue:text}`shuffled_oracle`: these two are what the scenes' rates have to be held against.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-blind", "caption": "AUROC of scores that look at no picture, with 95 % intervals over clips, on the test frames that all protocols share. Coloured lines: what the paper reports for its detectors, on ShanghaiTech Campus."}, "image": {"alt": "Dots with intervals: AUROC of blind baselines, beside lines for the paper's three values"}}
columns = blind_scores(table, tested)
titles = {name: BLIND_BASELINES[name] for name in columns}
for name, split in draws.splits.items():
    column = f"nearest_fit_label_{name.replace('-', '_')}"
    columns[column] = nearest_fit_label(split, tested)
    titles[column] = f"nearest fit frame's label, {name}"
scores = run.scores(tested, columns)
resampling = {"clusters": scores["clip"], "n_resamples": n_resamples, "seed": seed}
intervals = {name: bootstrap_auroc(scores["label"], scores[name], **resampling) for name in columns}
shuffled = shuffled_scene_rates(test_frames, n=n_shuffles, seed=seed)
on_all_frames = {name: auroc(test_frames["label"], values) for name, values in blind_scores(table, test_frames).items()}
paper = load_paper_values()
stated = {
    "PaDiM": paper["padim_auroc"].value,
    "Grad-CAM + SSIM": paper["gradcam_auroc"].value,
    "Prototypes": paper["clip_auroc"].value,
}
blind_rows = pd.DataFrame(
    {
        "estimate": [found.estimate for found in intervals.values()],
        "low": [found.low for found in intervals.values()],
        "high": [found.high for found in intervals.values()],
        "colour": BLIND,
        "note": [f"{found.estimate:.3f}" for found in intervals.values()],
    },
    index=[titles[name] for name in intervals],
)
references = {f"paper, {name}: {value:.3f}": (value, DETECTOR_COLOURS[name]) for name, value in stated.items()}
blind_figure = interval_rows(blind_rows, references=references)
run.figure("blind", blind_figure, caption="AUROC of scores that look at no picture, beside the paper's values.")

# %% tags=["hide-input"]
summaries = {name: summarize(scores, name) for name in columns}
pd.DataFrame(
    {
        titles[name]: {
            "AUROC, 95 % interval": f"{intervals[name]:.3f}",
            "the same on every test frame": f"{on_all_frames[name]:.3f}" if name in on_all_frames else "",
            "mean of the clips' own AUROCs": f"{summaries[name]['macro_auroc']:.3f}"
            if summaries[name]["macro_auroc"] is not None
            else "no clip has both classes",
        }
        | {
            f"its interval, to the paper's {value:.3f}": against_stated(intervals[name], value)
            for value in stated.values()
        }
        for name in columns
    }
).T

# %% [markdown]
# ## What the paper's values are worth by these
#
# {glue:text}`comparable` A stated value
# that a blind score is above, or cannot be told apart from, needs no sight to explain it.
#
# - **{glue:text}`padim_stated`, the paper's PaDiM.** Knowing the camera, and nothing else, is worth {glue:text}`scene_auroc` where the rates come
#   from the other clips of the scene ({glue:text}`scene_standing`), and {glue:text}`scene_oracle_auroc` where they come from all, the tested clip too
#   ({glue:text}`scene_oracle_standing`).
# - **{glue:text}`gradcam_stated`, its Grad-CAM + SSIM.** How far the clip has gone on is worth {glue:text}`position_auroc`
#   ({glue:text}`position_standing`).
# - **{glue:text}`clip_stated`, its CLIP prototypes**, which are fitted on labelled frames of test clips. Being near the middle of the clip is worth
#   {glue:text}`middle_auroc` ({glue:text}`middle_standing`). {glue:text}`memory_sentence`

# %% [markdown]
# ## Does the interval hold what it says?
#
# The intervals of this report resample clips. Whether 95 % of them hold the truth can be checked where the truth is known: scores are made up, with an
# effect for each clip, each scene and each moment, on clips that have these labels, and every method computes its interval from each of {glue:text}`n_simulated`
# such data sets. DeLong's takes frames as independent; the percentile interval reads the resamples as they are; `expanded` widens it for few clips, `bca` corrects
# its bias, and `studentized`, which the report uses, measures each resample by its own standard error. A share found from {glue:text}`n_simulated` data sets is
# itself uncertain by about {glue:text}`monte_carlo`.

# %% tags=["hide-input", "remove-output"]
with run.stage("simulate"):
    simulated = coverage_study(
        test_frames,
        n_clips=simulated_clips,
        aurocs=simulated_aurocs,
        n_data_sets=n_simulated,
        n_resamples=n_resamples,
        seed=seed,
    )

# %% tags=["hide-input"]
(
    simulated.assign(design=simulated["quantity"] + ", " + simulated["n_units"].astype(str) + " " + simulated["unit"])
    .pivot_table(index="method", columns=["design", "auroc"], values="coverage", sort=False)
    .rename_axis(columns=["what, from how many", "true AUROC"])
    .map("{:.1%}".format, na_action="ignore")
    .fillna("")
)

# %% [markdown]
# {glue:text}`coverage_sentence`

# %% tags=["remove-cell"]
run.metrics(
    {
        "n_frames": len(scores),
        "n_clips": int(scores["clip"].nunique()),
        "n_test_frames": len(test_frames),
        "shown_clip": clip,
        "draws": {"changes": list(draws.changes), "left_out": draws.left_out},
        "blind": {
            name: {
                **summaries[name],
                "micro_auroc_interval": intervals[name],
                "micro_auroc_all_frames": on_all_frames.get(name),
            }
            for name in columns
        },
        "leakage": leakage,
        "shuffled_scenes": shuffled,
        "n_simulated": n_simulated,
        "coverage": simulated.to_dict("records"),
    }
)
run.save()
by_protocol = {name: intervals[f"nearest_fit_label_{name.replace('-', '_')}"] for name in draws.splits}
told = [f"{by_protocol[name]:.3f} under {name}" for name in ("reused-frames", "same-clips") if name in by_protocol]
answer = (
    f"the label of the nearest fit frame in time is worth {' and '.join(told)}"
    if told
    else "no protocol was drawn that hands out labels of other frames"
)
comparable = (
    "They are of the same test clips, so they can be held against each other, though the paper's own draw of frames is not known and its values have no interval."
    if dataset == "shanghaitech"
    else f"The paper's values are of ShanghaiTech Campus and these of {DATASET_NAMES.get(dataset, dataset)}: what follows shows how to read the figure, and counts only for labels of ShanghaiTech."
)
memory = [
    f"{interval:.3f} under {name} ({against_stated(interval, stated['Prototypes'])})"
    for name, interval in by_protocol.items()
    if name != "official-split"
]
memory_sentence = (
    f"The label of the nearest fit frame in time is worth {', '.join(memory)}; where clips or scenes are apart there is none in the clip, and it is the "
    "scene's rate among the fit frames, or that of all."
    if memory
    else ""
)
share = simulated.groupby("method")["coverage"].agg(["min", "max"])
glue("n_simulated", f"{n_simulated:,}", display=False)
glue("monte_carlo", f"{simulated['standard_error'].median():.1%}", display=False)
glue(
    "coverage_sentence",
    "Over all designs, the 95 % interval holds the truth in "
    + "; ".join(f"{row['min']:.1%} to {row['max']:.1%} of the data sets ({name})" for name, row in share.iterrows())
    + ".",
    display=False,
)
for key, name in (("shuffled_scenes", "scene_rate_other_clips"), ("shuffled_oracle", "scene_rate_oracle")):
    glue(key, f"{np.mean([values[name] for values in shuffled]):.3f}", display=False)
glue("n_test_clips", int(test_frames["clip"].nunique()), display=False)
glue("middle_auroc", f"{intervals['middle']:.3f}", display=False)
glue("answer", answer, display=False)
glue("draw_note", draws.in_words, display=False)
glue("comparable", comparable, display=False)
glue("padim_stated", f"{stated['PaDiM']:.3f}", display=False)
glue("gradcam_stated", f"{stated['Grad-CAM + SSIM']:.3f}", display=False)
glue("clip_stated", f"{stated['Prototypes']:.3f}", display=False)
glue("scene_auroc", f"{intervals['scene_rate_other_clips']:.3f}", display=False)
glue("scene_standing", against_stated(intervals["scene_rate_other_clips"], stated["PaDiM"]), display=False)
glue("scene_oracle_auroc", f"{intervals['scene_rate_oracle']:.3f}", display=False)
glue("scene_oracle_standing", against_stated(intervals["scene_rate_oracle"], stated["PaDiM"]), display=False)
glue("position_auroc", f"{intervals['position']:.3f}", display=False)
glue("position_standing", against_stated(intervals["position"], stated["Grad-CAM + SSIM"]), display=False)
glue("middle_standing", against_stated(intervals["middle"], stated["Prototypes"]), display=False)
glue("memory_sentence", memory_sentence, display=False)
glue("data_note", data_note(dataset, copy=videos), display=False)
glue(
    "chapter_line",
    chapter_line(profile=profile, dataset=dataset, seconds=run.seconds, date=run.started),
    display=False,
)

# %% [markdown]
# ## What this does not show
#
# Whether a detector *did* use the scene, the clock or its memory: only that its AUROC alone does not rule it out. Which of them a
# detector's scores follow is a question to its scores, and the protocol is the way to ask: what is left under `disjoint-clips`, and more so under
# `disjoint-scenes`, cannot be memory of the clip.
#
# Downloads: {download}`this chapter's script <../results/22_labels_alone/22_labels_alone.py>` ·
# {download}`blind scores <../results/22_labels_alone/scores.csv>` ·
# {download}`its numbers <../results/22_labels_alone/metrics.json>` ·
# {download}`its run record <../results/22_labels_alone/run.json>` ·
# {download}`the first figure as SVG <../results/22_labels_alone/figures/timelines.svg>`
