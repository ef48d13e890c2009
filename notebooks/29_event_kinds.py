# %% [markdown]
# # What is found of each kind of event
#
# **Which anomalies of ShanghaiTech does each method find?** The data set's authors name {glue:text}`n_kinds` kinds of event, and one number for all of them is mostly
# one number for {glue:text}`most_frequent`: {glue:text}`share_most_frequent` of the anomalous frames. Of the methods that learn from normal clips alone, these have
# the highest AUROC of a kind: {glue:text}`best_by_kind`.

# %% tags=["parameters"]
results_dir = "_build/manual/29_event_kinds"  # folder to write the results to

# %% tags=["remove-output"]
from vadlib.figures import BLIND, interval_rows, roc
from vadlib.report import Chapter
from vadlib.report.tables import grouped_rows
from vadlib.report.words import published as words
from vadlib.studies.published_scores import curve_band

chapter = Chapter("29_event_kinds", globals())
found = chapter.show_record("shanghaitech-published-29_shanghaitech").metrics
titles, on_all = words.SCORE_TITLES, words.score_intervals(found)
shades = {
    "stg_nf": "#0072B2",
    "velocity": "#56B4E9",
    "speed": "#009E73",
    "captions_other_clips_mean": "#CC79A7",
    "middle": BLIND,
}
colours = {titles[name]: shade for name, shade in shades.items()}

# %% [markdown]
# ## The frequent kinds
#
# Frames of one kind against all normal frames, for the {glue:text}`n_frequent` kinds from six clips or more: fewer bound nothing. The scores are those of
# [ShanghaiTech itself](29_shanghaitech). Captions alone have learned from labelled frames, of other test clips. {glue:text}`blind_above`

# %%
groups = {
    f"{kind}: {row['n_frames']:,} frames, {row['n_clips']} clips": {titles[name]: row[name] for name in shades}
    for kind, row in words.frequent_kinds(found).items()
}
chapter.figure(
    "frequent",
    interval_rows(grouped_rows(groups, colours)),
    "AUROC of the frames of one kind of event against all normal frames, with 95 % intervals over clips.",
    alt="Dots with intervals under headings, one a kind of event: two published methods, the speed of tracked people, "
    "captions on other clips, and nearness to the middle of the clip",
)

# %% [markdown]
# ## All kinds
#
# The last columns are captions under each protocol, on the frames that were drawn to be tested there, so a rare kind has few of them or none.

# %%
words.kinds_table(found)

# %% [markdown]
# ## Scene by scene
#
# AUROC inside a scene, without an interval where it has fewer than six clips.

# %%
words.scenes_table(found)

# %% [markdown]
# ## ROC curves

# %%
chapter.figure(
    "roc",
    roc({titles[name]: (curve_band(curve), on_all[name], shades[name]) for name, curve in found["curves"].items()}),
    "ROC curves on all test frames, with 95 % bands from resampling clips.",
    alt="Five ROC curves with bands: STG-NF, velocity, speed of tracked people, captions, nearness to the middle",
)

# %% tags=["remove-cell"]
chapter.say(**words.kinds_sentences(found))
chapter.close(record="shanghaitech-published-29_shanghaitech")

# %% [markdown]
# ## What this does not show
#
# Why a kind is missed. Few clips hold most kinds, so a kind's AUROC is also that of its places and people.
