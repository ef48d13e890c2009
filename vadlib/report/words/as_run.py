"""What it is worth that a paper's text and its author's notebook differ, in words and in a table for a figure."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vadlib.detectors import catalogue
from vadlib.evaluation import Interval
from vadlib.studies.as_run import CONTROL, PROTOTYPES

SHORT = {"PaDiM": "padim", "Grad-CAM + SSIM": "gradcam", PROTOTYPES: "clip"}


def step_effects(table: pd.DataFrame) -> dict[str, str]:
    """The difference that each step makes, as text, by its method's and its own short name: ``padim_blur_step``."""
    return {
        f"{SHORT[row.method]}_{row.key}_step": f"{row.gain:+.3f}" for row in table.itertuples() if row.gain is not None
    }


def step_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Differences from the step before for `vadlib.figures.effect_rows`, a row a step."""
    rows = [
        {
            "group": row.method, "choice": "", "label": row.change,
            "estimate": row.gain.estimate, "low": row.gain.low, "high": row.gain.high,
            "colour": catalogue.entry(row.method).colour, "note": f"{row.auroc.estimate:.3f}",
        }
        for row in table.itertuples() if row.gain is not None
    ]  # fmt: skip
    return pd.DataFrame(rows)


def totals_table(table: pd.DataFrame, totals: Mapping[str, Interval]) -> pd.DataFrame:
    """As written and as run, by method, as text."""
    rows = {
        method: {
            "as written [95 %]": f"{steps['auroc'].iloc[0]:.3f}",
            "as run [95 %]": f"{steps['auroc'].iloc[-1]:.3f}",
            "difference [95 %]": f"{totals[method]:+.3f}",
        }
        for method, steps in table.groupby("method", sort=False)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("detector")


def totals_sentence(totals: Mapping[str, Interval]) -> str:
    """What all steps together do to each method, in clauses that follow from the intervals."""
    methods = {method: total for method, total in totals.items() if method != CONTROL}
    found = {
        "the AUROC of {} is higher as run than as written": [m for m, total in methods.items() if total.low > 0],
        "the AUROC of {} is lower as run than as written": [m for m, total in methods.items() if total.high < 0],
        "what was written and what was run cannot be told apart for {}": [
            m for m, total in methods.items() if total.low <= 0 <= total.high
        ],
    }
    return "; ".join(clause.format(" and ".join(names)) for clause, names in found.items() if names)


def largest_step_sentence(table: pd.DataFrame, method: str) -> str:
    """The step that moves a method's AUROC furthest, and whether it can be told from none."""
    steps = table[(table["method"] == method) & table["gain"].notna()]
    row = steps.loc[max(steps.index, key=lambda name: abs(steps.loc[name, "gain"].estimate))]
    told = "leaves out zero" if row["gain"].low > 0 or row["gain"].high < 0 else "holds zero"
    return (
        f"Of {method}'s {len(steps)} steps “{row['change']}” moves the AUROC furthest, by {row['gain']:+.2f}, "
        f"an interval that {told}."
    )


def weights_sentence(totals: Mapping[str, Interval]) -> str:
    """What choosing the ensemble's weights on the test frames is worth."""
    worth = totals[CONTROL]
    sentence = f"Weights chosen on the test frames get {worth:+.2f} over weights chosen on other clips"
    if worth.low > 0:
        return f"{sentence}, which is above zero."
    return f"{sentence}, which is {'below zero' if worth.high < 0 else 'not distinguishable from zero'}."


def as_run_words(table: pd.DataFrame, totals: Mapping[str, Interval]) -> dict[str, object]:
    """What the chapter's prose says, by the name to cite."""
    of_method = dict(list(table.groupby("method", sort=False)))
    words: dict[str, object] = {
        "totals": totals_sentence(totals),
        "weights_sentence": weights_sentence(totals),
        "weights_worth": f"{totals[CONTROL]:+.3f}",
        "largest_steps": " ".join(largest_step_sentence(table, method) for method in of_method),
    }
    for method, key in SHORT.items():
        words[f"{key}_written"], words[f"{key}_run"] = of_method[method]["auroc"].iloc[[0, -1]]
        words[f"{key}_total"] = f"{totals[method]:+.3f}"
    return words | step_effects(table)


def as_run_metrics(table: pd.DataFrame, totals: Mapping[str, Interval]) -> dict:
    """For `metrics.json`: the steps in their order, both ends of each method's way, and the totals."""
    ends = {
        method: dict(zip(("as_written", "as_run"), rows["auroc"].iloc[[0, -1]], strict=True))
        for method, rows in table.groupby("method", sort=False)
    }
    return {"steps": table.to_dict("records"), "ends": ends, "totals": dict(totals)}
