# %% [markdown]
# # Recorded runs
#
# **What came out on data sets or machines that not every reader has?** {glue:text}`sentence`. A recorded run is what one
# run wrote: its metrics, its scores, its figures and its run record. Nothing in it is written by hand, and the project's
# tests compute its figures of merit again from its scores. Each says when it was made, with which revision, on what, and
# how to make it again.

# %% tags=["parameters"]
results_dir = "_build/manual/90_recorded"  # folder to write the results to

# %% tags=["remove-output"]
from IPython.display import Markdown, display

from vadlib.report import Chapter, list_recorded, load_recorded
from vadlib.report.records.pages import recorded_section, recorded_table, stale_sentence

chapter = Chapter("90_recorded", globals())
records = [load_recorded(name) for name in list_recorded()]

# %% [markdown]
# ## All of them
#
# A run is *stale* where its notebook's code, the library's parts that compute (data sets, networks, detectors,
# evaluation, studies), or its profile's parameters have changed since: run today, it may give other numbers.

# %% mystnb={"markdown_format": "myst"}
Markdown(recorded_table(records))

# %% [markdown]
# `path/to/…` stands for a folder or file of your own.

# %% mystnb={"markdown_format": "myst"}
for record in records:
    display(Markdown(recorded_section(record)))

# %% tags=["remove-cell"]
chapter.say(sentence=stale_sentence(records))
chapter.close(
    n_recorded=len(records),
    recorded=[record.name for record in records],
    stale=[record.name for record in records if record.is_stale],
)
