# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Where the numbers come from
#
# {glue:text}`chapter_line`
#
# **Which code, data, weights and machine made this build?** Each experiment writes a record of its run beside its
# results; these tables are read from those records.

# %% tags=["parameters"]
chapters: list | None = None  # the book's notebooks; None: all
upstream_dir = "_build/demo/results"  # folder of the other experiments' results
results_dir = "_build/manual/91_provenance"  # folder to write the results to

# %% tags=["hide-input"]
import pandas as pd
from myst_nb import glue

from vadlib.report import Experiment, load_results
from vadlib.report.words.common import chapter_line, revision_name

run = Experiment.from_notebook("91_provenance", globals())
every = (
    "01_dataset",
    "02_padim",
    "03_gradcam_ssim",
    "04_clip_prototypes",
    "21_claims",
    "26_limits",
    "23_protocols",
)
every = (*every, "25_choices", "28_networks", "30_footage", "22_labels_alone", "24_same_labels", "90_recorded")
records = {name: load_results(f"{upstream_dir}/{name}").run for name in every if chapters is None or name in chapters}
detectors = [name for name in ("02_padim", "03_gradcam_ssim", "04_clip_prototypes", "30_footage") if name in records]
first = records[detectors[0]]

# %% [markdown]
# ## Runs

# %% tags=["hide-input"]
runs = pd.DataFrame(
    {
        name: {
            "started (UTC)": record["started"].replace("T", " ").removesuffix("+00:00"),
            "seconds": f"{record['seconds']:.1f}",
            "peak memory, GB": f"{record['peak_host_bytes'] / 1e9:.2f}",
            "frames left out as unreadable": record["skipped"]["count"] if record["skipped"] else 0,
            "clips that do not open, left out": len(record.get("dataset", {}).get("left_out", [])),
            "revision": revision_name(record["git"]),
        }
        for name, record in records.items()
    }
).T
runs

# %% [markdown]
# ## Stages of the detectors

# %% tags=["hide-input"]
stages = pd.DataFrame(
    [
        {"experiment": name, "stage": stage, "seconds": f"{found['seconds']:.1f}"}
        for name in detectors
        for stage, found in records[name]["stages"].items()
    ]
).set_index(["experiment", "stage"])
stages

# %% [markdown]
# ## Data and weights

# %% tags=["hide-input"]
pd.Series(
    {
        "data set": first["dataset"]["name"],
        "its fingerprint": first["dataset"]["fingerprint"][:16],
        "clips": first["dataset"]["n_clips"],
        "missing from this copy": "; ".join(first["dataset"].get("missing", [])) or "nothing that is known of",
    },
    name="value",
).to_frame()

# %% tags=["hide-input"]
weights = pd.DataFrame(
    {
        name: {
            "network": records[name]["weights"]["architecture"],
            "weights": records[name]["weights"]["name"],
            "SHA-256 of the weights file": records[name]["weights"]["sha256"] or "no file: drawn from the seed",
            "arithmetic": records[name]["precision"],
        }
        for name in detectors
    }
).T
weights

# %% [markdown]
# ## Machine and versions

# %% tags=["hide-input"]
pd.Series({"device": first["device"], **first["hardware"]}, name="value").to_frame()

# %% tags=["hide-input"]
pd.Series(first["versions"], name="version").to_frame()

# %% tags=["remove-cell"]
total = sum(record["seconds"] for record in records.values())
peak = max(record["peak_host_bytes"] for record in records.values())
run.metrics({"total_seconds": total, "peak_host_bytes": peak})
run.save()
glue("total_minutes", f"{total / 60:.1f}", display=False)
glue("peak_gigabytes", f"{peak / 1e9:.1f}", display=False)
glue("device", str(first["device"]), display=False)
glue(
    "chapter_line",
    chapter_line(
        profile=first["parameters"]["profile"], dataset=first["dataset"]["name"], seconds=run.seconds, date=run.started
    ),
    display=False,
)
