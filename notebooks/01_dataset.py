# %% [markdown]
# # The data
#
# **What does a detector get to see, and what is it asked?** It is fitted on
# {glue:text}`n_train_clips` videos of normal life and asked about {glue:text}`n_test_clips` others, in which
# {glue:text}`anomalous_share` of the frames are labelled anomalous. The paper does this on ShanghaiTech Campus
# {cite}`luo2017revisit`.

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, and name or count them, instead of stopping
results_dir = "_build/manual/01_dataset"  # folder to write the results to

# %%
from vadlib.figures import class_balance, label_calendar
from vadlib.report import Chapter
from vadlib.report.tables import frame_counts
from vadlib.studies import showcase

chapter = Chapter("01_dataset", globals())
videos = chapter.open_dataset()
table = videos.frame_table()
train, test = table[table["split"] == "train"], table[table["split"] == "test"]

# %% [markdown]
# ## The scenes
#
# Every camera is fixed. A frame of each, from a training video, in which everything is normal:

# %%
chapter.figure(
    "scenes",
    showcase.draw_scenes(videos, train),
    "A training frame of each scene. The cameras do not move.",
    alt="Frames from each of the data set's fixed cameras",
)

# %% [markdown]
# ## The anomalies
#
# The middle frame of the longest event of each kind, or of each clip's where the data set does not name kinds. The
# outline is the ground truth.

# %%
chapter.figure(
    "events",
    showcase.draw_events(videos, test),
    "Anomalous frames with the outline of their pixel masks: one for each kind of event, or for each clip where kinds "
    "are not named.",
    alt="Anomalous frames, the anomalous people and vehicles outlined",
)

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
# test frames of the paper can only come from the 107 test videos. What each detector is given of them, and the paper's
# Table 1 beside it, is in [the paper against this build](21_claims).

# %%
frame_counts(table)

# %% [markdown]
# ## Where the anomalies are
#
# In {numref}`fig-dataset-calendar` the position of the anomalous stretches matters as much as their length: were they
# always in the middle of the clip, a score that looks at the clock and not at the picture would find them.

# %%
chapter.figure(
    "calendar",
    label_calendar(test),
    "The labels of every test clip, one clip a row.",
    alt="Calendar of normal and anomalous frames in each test clip",
)

# %%
per_scene = test.pivot_table(index="scene", columns="label", values="frame", aggfunc="count", fill_value=0)
per_scene = per_scene.reindex(columns=[0, 1], fill_value=0).set_axis(["normal", "anomalous"], axis=1)
chapter.figure(
    "balance",
    class_balance(per_scene.set_axis([f"scene {scene}" for scene in per_scene.index])),
    "Normal and anomalous test frames of each scene, before any draw.",
    alt="Bars of normal and anomalous frames for each scene",
)

# %% tags=["remove-cell"]
chapter.say(
    n_train_clips=train["clip"].nunique(),
    n_test_clips=test["clip"].nunique(),
    anomalous_share=f"{test['label'].mean():.0%}",
)
chapter.close(
    n_train_clips=train["clip"].nunique(),
    n_test_clips=test["clip"].nunique(),
    n_clips=len(videos.clips),
    n_scenes=table["scene"].nunique(),
    n_train_frames=len(train),
    n_test_frames=len(test),
    n_anomalous=int(test["label"].sum()),
    anomalous_share=float(test["label"].mean()),
    n_events=len(videos.events),
)

# %% [markdown]
# ## What this does not show
#
# Labels are of frames: a frame is anomalous as soon as anything in it is. Frames a second apart are nearly the same
# picture, so {glue:text}`n_test_clips` clips, not thousands of frames, is the size of the evidence; every interval
# in this report resamples clips.
