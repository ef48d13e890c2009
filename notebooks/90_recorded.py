# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Recorded runs
#
# read from the project's folder `book/recorded`, not made by this build
#
# **What came out on data sets or machines that not every reader has?** {glue:text}`sentence`. A recorded run is what one run wrote: its
# metrics, its scores, its figures and its run record. Nothing in it is written by hand, and the project's tests compute its figures of merit
# again from its scores. {glue:text}`meaning`

# %% tags=["parameters"]
results_dir = "_build/manual/90_recorded"  # folder to write the results to

# %% tags=["hide-input"]
from IPython.display import Markdown, display
from myst_nb import glue

from vadlib.report import Experiment, list_recorded, load_recorded
from vadlib.report.records.pages import recorded_section, recorded_table, stale_sentence

run = Experiment.from_notebook("90_recorded", globals())
records = [load_recorded(name) for name in list_recorded()]

# %% [markdown]
# ## All of them
#
# A run is *stale* where its notebook's code, the library's parts that compute (data sets, networks, detectors, evaluation), or its profile's
# parameters have changed since: run today, it may give other numbers.

# %% tags=["hide-input"] mystnb={"markdown_format": "myst"}
Markdown(recorded_table(records))

# %% [markdown]
# `path/to/…` stands for a folder or file of your own.

# %% tags=["hide-input"] mystnb={"markdown_format": "myst"}
for record in records:
    display(Markdown(recorded_section(record)))

# %% tags=["remove-cell"]
stale = [record.name for record in records if record.is_stale]
run.metrics({"n_recorded": len(records), "stale": stale, "recorded": [record.name for record in records]})
run.save()
glue("sentence", stale_sentence(records), display=False)
glue(
    "meaning",
    "Each says when it was made, with which revision, on what, and how to make it again."
    if records
    else "The command that makes one is vadlib record.",
    display=False,
)
