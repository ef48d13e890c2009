# %% [markdown]
# # Where the numbers come from
#
# **Which code, data, weights and machine made this build?** Each experiment writes a record of its run beside its
# results; these tables are read from those records.

# %% tags=["parameters"]
only: list | None = None  # the book's notebooks; None: all
upstream_dir = "_build/demo/results"  # folder of the other experiments' results
results_dir = "_build/manual/91_provenance"  # folder to write the results to

# %% tags=["remove-output"]
import pandas as pd

from vadlib.report import Chapter
from vadlib.report.study_tables import runs_table, stages_table, weights_table

chapter = Chapter("91_provenance", globals())
runs = {name: found.run for name, found in chapter.all_results().items()}
first = next(run for run in runs.values() if "weights" in run and "dataset" in run)

# %% [markdown]
# ## Runs

# %%
runs_table(runs)

# %% [markdown]
# ## Stages

# %%
stages_table(runs)

# %% [markdown]
# ## Data and weights

# %%
pd.Series(
    {
        "data set": first["dataset"]["name"],
        "its fingerprint": first["dataset"]["fingerprint"][:16],
        "clips": first["dataset"]["n_clips"],
        "missing from this copy": "; ".join(first["dataset"].get("missing", [])) or "nothing that is known of",
    },
    name="value",
).to_frame()

# %%
weights_table(runs)

# %% [markdown]
# ## Machine and versions

# %%
pd.Series({"device": first["device"], **first["hardware"]}, name="value").to_frame()

# %%
pd.Series(first["versions"], name="version").to_frame()

# %% tags=["remove-cell"]
total = sum(run["seconds"] for run in runs.values())
peak = max(run["peak_host_bytes"] for run in runs.values())
chapter.say(total_minutes=f"{total / 60:.1f}", peak_gigabytes=f"{peak / 1e9:.1f}", device=str(first["device"]))
chapter.close(total_seconds=total, peak_host_bytes=peak)
