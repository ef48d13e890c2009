# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The data
#
# {glue:text}`chapter_line`
#
# :::{admonition} What these numbers are
# :class: data-note
# {glue:text}`data_note`
# :::
#
# **What does a detector get to see, and what is it asked?** It is fitted on
# {glue:text}`n_train_clips` videos of normal life and asked about {glue:text}`n_test_clips` others, in which
# {glue:text}`anomalous_share` of the frames are labelled anomalous. The paper does this on ShanghaiTech Campus
# {cite}`luo2017revisit`.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
seed = 0  # of every draw
n_fit_frames = 600  # normal training frames of PaDiM (paper: 2,000)
n_fit_frames_gradcam = 100  # normal training frames of Grad-CAM + SSIM (paper: 100)
n_fit_frames_clip = 300  # training frames of CLIP in each class (paper: 2,000)
n_test_normal: int | None = 600  # normal test frames; None for all (paper: 4,000)
n_test_abnormal: int | None = 600  # anomalous test frames; None for all (paper: 4,000)
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
results_dir = "_build/manual/01_dataset"  # folder to write the results to

# %% tags=["hide-input"]
import pandas as pd
from myst_nb import glue

from vadlib.data import draw, open_dataset, read_frame
from vadlib.evaluation import anomalous_stretches
from vadlib.figures import class_balance, contact_sheet, label_calendar, use_house_style
from vadlib.report import Experiment, load_paper_values, project_path
from vadlib.report.words.common import chapter_line, data_note

use_house_style()
run = Experiment.from_notebook("01_dataset", globals())
paper = {name: entry.value for name, entry in load_paper_values().items()}
videos = open_dataset(
    dataset, project_path(dataset_root), allow_missing=allow_missing, skip_unreadable=skip_unreadable
).with_pictures()
table = videos.frame_table()
train, test = table[table["split"] == "train"], table[table["split"] == "test"]
run.record(dataset=videos)

# %% [markdown]
# ## The scenes
#
# Every camera is fixed. A frame of each, from a training video, in which everything is normal:

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-scenes", "caption": "A training frame of each scene. The cameras do not move."}, "image": {"alt": "Frames from each of the data set's fixed cameras"}}
scenes = train[train["frame"] <= 40].drop_duplicates("scene", keep="last")
scene_sheet = contact_sheet(
    [read_frame(videos, row.clip, row.frame) for row in scenes.itertuples()],
    [f"scene {row.scene}, clip {row.clip}" for row in scenes.itertuples()],
)
run.figure("scenes", scene_sheet, caption="A training frame of each scene.")

# %% [markdown]
# ## The anomalies
#
# The middle frame of the longest event of each kind, or of each clip's where the data set does not name kinds. The
# outline is the ground truth.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-events", "caption": "Anomalous frames with the outline of their pixel masks: one for each kind of event, or for each clip where kinds are not named."}, "image": {"alt": "Anomalous frames, the anomalous people and vehicles outlined"}}
stretches = videos.events if len(videos.events) else anomalous_stretches(test)
longest = stretches.assign(length=stretches["last"] - stretches["first"]).sort_values("length", ascending=False)
longest = longest.drop_duplicates("event" if len(videos.events) else "clip").sort_values(["event", "clip"])
middles = longest.assign(frame=(longest["first"] + longest["last"]) // 2)
event_sheet = contact_sheet(
    [read_frame(videos, row.clip, row.frame) for row in middles.itertuples()],
    [f"{row.event}: clip {row.clip}, frame {row.frame}" for row in middles.itertuples()],
    masks=[videos.pixel_mask(row.clip, row.frame) for row in middles.itertuples()],
)
run.figure("events", event_sheet, caption="Anomalous frames with the outline of their pixel masks.")

# %% [markdown]
# ## From videos to frames
#
# The paper's Algorithm 1 extracts every frame, labels it by the ground truth, draws equal numbers of both classes,
# resizes and normalises. Here each frame has a row in a table, and a draw is a choice of rows; only the frames that
# were drawn are ever decoded, resized to the network's input and, inside the network, normalised. `vadlib extract`
# writes the files of the paper's first two steps for those who want them.
#
# :::{margin}
# "This preprocessing yielded a total of 274,515 extracted frames, from which we selected 8,000 balanced frames"
# (section 2.2).
# :::
#
# The paper's total of 274,515 frames is, in ShanghaiTech's own counts, the number of *training* frames alone; the
# test videos add 40,791, of which 17,326 are anomalous. Since training videos hold no anomaly, the 4,000 anomalous
# test frames of the paper can only come from the 107 test videos.

# %% tags=["hide-input"]
counts = pd.DataFrame(
    {
        "the paper": [
            f"{paper['n_train_videos']:,}",
            f"{paper['n_test_videos']:,}",
            f"{paper['n_extracted_frames']:,}, given as the total",
            "",
            "",
        ],
        "official count, ShanghaiTech": ["330", "107", "274,515", "40,791", "17,326"],
        "here": [
            f"{train['clip'].nunique():,}",
            f"{test['clip'].nunique():,}",
            f"{len(train):,}",
            f"{len(test):,}",
            f"{test['label'].sum():,}",
        ],
    },
    index=["training videos", "test videos", "training frames", "test frames", "anomalous test frames"],
)
counts

# %% [markdown]
# ## Where the anomalies are
#
# In {numref}`fig-calendar` the position of the anomalous stretches matters as much as their length: were they always
# in the middle of the clip, a score that looks at the clock and not at the picture would find them.

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-calendar", "caption": "The labels of every test clip, one clip a row."}, "image": {"alt": "Calendar of normal and anomalous frames in each test clip"}}
calendar = label_calendar(test)
run.figure("calendar", calendar, caption="The labels of every test clip, one clip a row.")

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-balance", "caption": "Normal and anomalous test frames of each scene, before any draw."}, "image": {"alt": "Bars of normal and anomalous frames for each scene"}}
per_scene = test.pivot_table(index="scene", columns="label", values="frame", aggfunc="count", fill_value=0)
per_scene = per_scene.reindex(columns=[0, 1], fill_value=0).set_axis(["normal", "anomalous"], axis=1)
balance = class_balance(per_scene.set_axis([f"scene {scene}" for scene in per_scene.index]))
run.figure("balance", balance, caption="Normal and anomalous test frames of each scene.")

# %% [markdown]
# ## What each detector is given
#
# The paper's Table 1, with the same draws made here. PaDiM and Grad-CAM + SSIM learn from normal frames alone; CLIP
# is given labelled anomalies, and those exist in test videos only.

# %% tags=["hide-input"]
one_class = {"protocol": "official-split", "fit_abnormal": 0, "seed": seed}
tested = {"test_normal": n_test_normal, "test_abnormal": n_test_abnormal}
draws = {
    "PaDiM": draw(table, fit_normal=n_fit_frames, **one_class, **tested),
    "Grad-CAM + SSIM (the paper's SPADE)": draw(table, fit_normal=n_fit_frames_gradcam, **one_class, **tested),
    "CLIP": draw(
        table, "same-clips", fit_normal=n_fit_frames_clip, fit_abnormal=n_fit_frames_clip, seed=seed, **tested
    ),
}
stated = {"PaDiM": "padim", "Grad-CAM + SSIM (the paper's SPADE)": "gradcam", "CLIP": "clip"}
table_1 = pd.DataFrame(
    [
        {
            "model": name,
            "training frames, paper": f"{paper[f'{stated[name]}_training_frames']:,}",
            "training frames, here": f"{len(split.fit):,}",
            "of them anomalous": f"{int(split.fit['label'].sum()):,}",
            "test frames, paper": f"{paper[f'{stated[name]}_test_frames']:,}",
            "test frames, here": f"{len(split.test):,}",
            "of them anomalous ": f"{int(split.test['label'].sum()):,}",
        }
        for name, split in draws.items()
    ]
).set_index("model")
table_1

# %% tags=["remove-cell"]
run.metrics(
    {
        "n_train_clips": train["clip"].nunique(),
        "n_test_clips": test["clip"].nunique(),
        "n_clips": len(videos.clips),
        "n_scenes": table["scene"].nunique(),
        "n_train_frames": len(train),
        "n_test_frames": len(test),
        "n_anomalous": int(test["label"].sum()),
        "anomalous_share": float(test["label"].mean()),
        "n_events": len(videos.events),
    }
)
run.save()
glue("n_train_clips", int(train["clip"].nunique()), display=False)
glue("n_test_clips", int(test["clip"].nunique()), display=False)
glue("anomalous_share", f"{test['label'].mean():.0%}", display=False)
glue("data_note", data_note(dataset, copy=videos), display=False)
glue(
    "chapter_line",
    chapter_line(profile=profile, dataset=dataset, seconds=run.seconds, date=run.started),
    display=False,
)

# %% [markdown]
# ## What this does not show
#
# Labels are of frames: a frame is anomalous as soon as anything in it is. Frames a second apart are nearly the same
# picture, so {glue:text}`n_test_clips` clips, not thousands of frames, is the size of the evidence; every interval
# in this report resamples clips.
#
# Downloads: {download}`this chapter's script <../results/01_dataset/01_dataset.py>` ·
# {download}`its numbers <../results/01_dataset/metrics.json>` ·
# {download}`its run record <../results/01_dataset/run.json>`
