"""Tables of what runs took and what they were made from, read from their records."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vadlib.report.words.common import revision_name


def runs_table(runs: Mapping[str, Mapping]) -> pd.DataFrame:
    """When each chapter ran, how long, with how much memory, what it left out, and from which revision.

    Parameters
    ----------
    runs : mapping of str to mapping
        `run.json` by the chapter's name.
    """
    rows = {
        name: {
            "started (UTC)": run["started"].replace("T", " ").removesuffix("+00:00"),
            "seconds": f"{run['seconds']:.1f}",
            "peak memory, GB": f"{run['peak_host_bytes'] / 1e9:.2f}",
            "frames left out as unreadable": run["skipped"]["count"] if run["skipped"] else 0,
            "clips that do not open, left out": len(run.get("dataset", {}).get("left_out", [])),
            "revision": revision_name(run["git"]),
        }
        for name, run in runs.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def stages_table(runs: Mapping[str, Mapping]) -> pd.DataFrame:
    """Seconds of each stage that a chapter timed."""
    rows = [
        {"chapter": name, "stage": stage, "seconds": f"{found['seconds']:.1f}"}
        for name, run in runs.items()
        for stage, found in run["stages"].items()
    ]
    return pd.DataFrame(rows, columns=["chapter", "stage", "seconds"]).set_index(["chapter", "stage"])


def weights_table(runs: Mapping[str, Mapping]) -> pd.DataFrame:
    """The first network of each chapter that computed with one: its weights, their digest, its arithmetic."""
    rows = {
        name: {
            "network": run["weights"]["architecture"],
            "weights": run["weights"]["name"],
            "SHA-256 of the weights file": run["weights"]["sha256"] or "no file: drawn from the seed",
            "arithmetic": run["precision"],
        }
        for name, run in runs.items()
        if run.get("weights") and run.get("precision")
    }
    return pd.DataFrame.from_dict(rows, orient="index")
