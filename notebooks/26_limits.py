# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Limitations, measured
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **Which of the limitations that the paper names are there, and how large are they?** Its section 5 blames the loss of motion, the light, the
# variety of scenes, and the cost of computing; it measures none of them. On this build's data,
# {glue:text}`motion_sentence`

# %% tags=["parameters"]
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
upstream_dir = "_build/demo/results"  # folder of the other experiments' results
n_resamples = 1000  # of the bootstrap over clips
seed = 0  # of the bootstrap
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
results_dir = "_build/manual/26_limits"  # folder to write the results to

# %% tags=["hide-input"]
import pandas as pd
from myst_nb import glue

from vadlib.data import FrameReader, open_dataset
from vadlib.evaluation import auroc_by_group, event_of_frames, rank_correlation_within, share_explained, summarize
from vadlib.figures import DETECTOR_COLOURS, interval_rows, score_by_factor, use_house_style
from vadlib.report import Experiment, load_results, project_path
from vadlib.report.tables import frame_scores_of, whole_workload
from vadlib.report.words.common import chapter_line, data_note

use_house_style()
run = Experiment.from_notebook("26_limits", globals())
results = {
    name: load_results(f"{upstream_dir}/{name}") for name in ("02_padim", "03_gradcam_ssim", "04_clip_prototypes")
}
padim = results["02_padim"]
videos = open_dataset(
    dataset, project_path(dataset_root), allow_missing=allow_missing, skip_unreadable=skip_unreadable
).with_pictures()
scores, detectors = frame_scores_of(results)
run.record(dataset=videos, weights=padim.run["weights"])

# %% [markdown]
# ## Motion (section 5.1 of the paper)
#
# "The conversion from video sequences to static frames fundamentally eliminated temporal dynamics." If so, what is anomalous by its motion
# alone must be harder than what looks unusual in a single frame. {numref}`fig-motion` splits the anomalous frames by that, where the data set
# says what each event is.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-motion", "caption": "AUROC of each detector for anomalies of appearance and for anomalies of motion alone, each against all normal frames; all anomalous frames together where the data set does not name its events. Lines: 95 % intervals over clips."}, "image": {"alt": "Dots with intervals: AUROC of each detector for anomalies of appearance and of motion"}}
groups = event_of_frames(scores, videos.events, column="seen_in")
groups[(groups == "") & (scores["label"] == 1)] = "unnamed"
by_group = {name: auroc_by_group(scores, name, groups, n_resamples=n_resamples, seed=seed) for name in detectors}
rows = pd.concat(
    [
        found.set_index(f"{name}: " + found.index).assign(
            colour=DETECTOR_COLOURS[name],
            note=[f"{row.n_frames} frames, {row.n_clips} clips" for row in found.itertuples()],
        )
        for name, found in by_group.items()
    ]
)
motion_figure = interval_rows(rows)
run.figure("motion", motion_figure, caption="AUROC by appearance and by motion, each detector.")

# %% [markdown]
# ## Light (section 5.3)
#
# "Variable lighting conditions." Scores of *normal* frames should not depend on how bright the frame is. The table gives the rank correlation
# of a normal frame's score with its mean brightness, within scenes (0: none; 1 or -1: the score is the brightness).

# %% tags=["hide-input", "remove-output"]
brightness = pd.Series(index=scores.index, dtype=float)
reader = FrameReader(videos, scores, (60, 80), 64, skip_unreadable=skip_unreadable, description="brightness")
for batch in reader:
    brightness.iloc[batch.rows] = batch.images.float().mean(dim=(1, 2, 3)).numpy()
scores["brightness"] = brightness
normal = scores[(scores["label"] == 0) & scores["brightness"].notna()]

# %% tags=["hide-input"]
factors = pd.DataFrame(
    {
        name: {
            "rank correlation with brightness, within scenes": rank_correlation_within(
                normal[name], normal["brightness"], normal["scene"]
            ),
            "share of variance between scenes": share_explained(normal[name], normal["scene"]),
            "share of variance between clips": share_explained(normal[name], normal["clip"]),
        }
        for name in detectors
    }
).T
factors.style.format("{:.2f}")

# %% [markdown]
# ## Scenes (section 5.3)
#
# "Diverse scene layouts." One threshold serves all cameras only if normal frames score alike in all of them. The second and third columns of the
# table say how much of the variance of normal scores is the scene's, and the clip's. {numref}`fig-normal-by-scene` shows the scores themselves; the
# AUROC with all frames pooled, beside the mean of the scenes' own AUROCs, says what pooling costs: {glue:text}`scene_cost`.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-normal-by-scene", "caption": "Scores of normal frames in each scene, in standard deviations from the mean of all normal frames. Boxes: quartiles; whiskers: 5 % and 95 %."}, "image": {"alt": "Box plots of normal scores by scene, a panel a detector"}}
scene_figure = score_by_factor({name: (normal[name], normal["scene"], DETECTOR_COLOURS[name]) for name in detectors})
run.figure("scenes", scene_figure, caption="Scores of normal frames by scene.")

# %% tags=["hide-input"]
pooled = {name: summarize(scores, name) for name in detectors}
per_scene = {name: pd.Series(found["per_scene"], dtype=float) for name, found in pooled.items()}
scene_table = pd.DataFrame(
    {
        name: {
            "all frames pooled": found["micro_auroc"],
            "mean of the scenes": per_scene[name].mean(),
            "lowest scene": per_scene[name].min(),
            "highest scene": per_scene[name].max(),
        }
        for name, found in pooled.items()
    }
).T
scene_table.style.format("{:.3f}")

# %% [markdown]
# ## The bill (section 5.2)
#
# "Substantial GPU resources, with training and inference times extending to several hours." The paper's whole workload is the frames of its
# Table 1. At the rates of this run, on {glue:text}`device`, it takes {glue:text}`workload_minutes` minutes in all, decoding included.

# %% tags=["hide-input"]
workload = whole_workload(results)
workload.style.format({"minutes": "{:.1f}", "a frame, ms": "{:.0f}"})

# %% tags=["remove-cell"]
named = {group for found in by_group.values() for group in found.index}
measurable = {"appearance", "motion"} <= named
gaps = {
    name: float(found.loc["appearance", "estimate"] - found.loc["motion", "estimate"]) if measurable else None
    for name, found in by_group.items()
}
run.metrics(
    {
        "by_group": {
            name: {
                group: {key: None if pd.isna(value) else value for key, value in row.items()}
                for group, row in found[["n_frames", "n_clips", "estimate", "low", "high"]].to_dict("index").items()
            }
            for name, found in by_group.items()
        },
        "appearance_minus_motion": gaps,
        "factors": factors.to_dict("index"),
        "scenes": {
            name: {key: None if pd.isna(value) else value for key, value in row.items()}
            for name, row in scene_table.to_dict("index").items()
        },
        "workload_minutes": float(workload["minutes"].sum()),
    }
)
run.save()
gap_words = "; ".join(f"{name} {gap:+.3f}" for name, gap in gaps.items()) if measurable else ""
motion_sentence = (
    f"the AUROC for anomalies of appearance minus that for anomalies of motion alone is: {gap_words}."
    if measurable
    else "motion cannot be told from appearance, because its events are not named; the demo's are."
)
cost_words = "; ".join(
    f"{name} {row['all frames pooled']:.3f} pooled, {row['mean of the scenes']:.3f} by scene"
    for name, row in scene_table.dropna().iterrows()
)
glue("motion_sentence", motion_sentence, display=False)
glue("scene_cost", cost_words or "not measured: no scene has both classes", display=False)
glue("workload_minutes", f"{workload['minutes'].sum():.0f}", display=False)
glue("device", str(padim.run["device"]), display=False)
glue("data_note", data_note(dataset, padim.run["weights"], copy=videos), display=False)
glue(
    "chapter_line",
    chapter_line(profile=padim.run["parameters"]["profile"], dataset=dataset, seconds=run.seconds, date=run.started),
    display=False,
)

# %% [markdown]
# ## What this does not show
#
# The prototypes see labelled anomalies of the kinds that they are tested on, of both sorts; the others do not. "Subjective anomaly definitions"
# (section 5.3) would take a second opinion on the labels, which these data sets do not hold.
#
# Downloads: {download}`this chapter's script <../results/26_limits/26_limits.py>` ·
# {download}`its numbers <../results/26_limits/metrics.json>` ·
# {download}`run record <../results/26_limits/run.json>` ·
# {download}`the first figure as SVG <../results/26_limits/figures/motion.svg>`
