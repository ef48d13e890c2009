"""Tables of detectors that chapters show, as text, and those that they draw."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vadlib.detectors import catalogue
from vadlib.evaluation import Interval
from vadlib.figures import BLIND
from vadlib.report.paper import PaperValue, load_paper_values
from vadlib.report.words.common import interval_of
from vadlib.runs.results import Results
from vadlib.studies.protocol_audit import nearest_label_column

TICKS = ("scene_rate_other_clips", "position", "middle")  # blind scores that need no labelled fit frame, and no oracle


# ---- figures of merit


def table_of_merit(
    intervals: Mapping[str, Interval], summaries: Mapping[str, Mapping], *, names: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """One row a score, called as in `names`: its AUROC with interval, and the other figures of merit of `summarize`."""
    columns = {
        "macro AUROC": "macro_auroc",
        "average precision": "average_precision",
        "equal error rate": "eer",
        "FPR at 95 % TPR": "fpr_at_95_tpr",
    }
    rows = {
        (names or {}).get(score, score): {"micro AUROC [95 %]": f"{interval:.3f}"}
        | {title: _three(summaries[score][key]) for title, key in columns.items()}
        for score, interval in intervals.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index")


def pairs_table(comparisons: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of detectors (of `compare_all`): the difference of their AUROCs, and whether they differ."""
    return pd.DataFrame(
        [
            {
                "detectors": f"{row.a} - {row.b}",
                "difference of AUROC [95 %]": f"{Interval(row.estimate, row.low, row.high):+.3f}",
                "p after Holm": f"{row.p_adjusted:.3f}",
                "what it tells": f"{row.better} has the higher AUROC" if row.better else "cannot be told apart",
            }
            for row in comparisons.itertuples()
        ]
    ).set_index("detectors")


def rows_of_intervals(
    intervals: Mapping[str, Interval], colours: str | Mapping[str, str], *, names: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """For `vadlib.figures.interval_rows`: a row each, in one colour or each in its own."""
    return pd.DataFrame(
        {
            (names or {}).get(name, name): {
                "estimate": found.estimate,
                "low": found.low,
                "high": found.high,
                "colour": colours if isinstance(colours, str) else colours[name],
                "note": f"{found.estimate:.3f}",
            }
            for name, found in intervals.items()
        }
    ).T


def grouped_rows(groups: Mapping[str, Mapping[str, Interval]], colours: Mapping[str, str]) -> pd.DataFrame:
    """For `vadlib.figures.interval_rows`: a row each under its group's heading; grey what has no colour."""
    rows = [
        rows_of_intervals(group, {name: colours.get(name, BLIND) for name in group}).assign(group=heading)
        for heading, group in groups.items()
    ]
    return pd.concat(rows).rename_axis("label").reset_index()


def stated_lines(stated: Mapping[str, float]) -> dict[str, tuple[float, str]]:
    """For `vadlib.figures.interval_rows`: a line at each AUROC that the paper states, in its detector's colour."""
    return {f"paper, {name}: {value:.3f}": (value, catalogue.entry(name).colour) for name, value in stated.items()}


# ---- the paper's tables


def frame_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Videos and frames of both splits: as the paper states them, as ShanghaiTech counts them, and as they are here."""
    paper = {name: entry.value for name, entry in load_paper_values().items()}
    train, test = table[table["split"] == "train"], table[table["split"] == "test"]
    stated = [f"{paper['n_train_videos']:,}", f"{paper['n_test_videos']:,}"]
    here = [train["clip"].nunique(), test["clip"].nunique(), len(train), len(test), int(test["label"].sum())]
    return pd.DataFrame(
        {
            "the paper": [*stated, f"{paper['n_extracted_frames']:,}, given as the total", "", ""],
            "official count, ShanghaiTech": ["330", "107", "274,515", "40,791", "17,326"],
            "here": [f"{count:,}" for count in here],
        },
        index=["training videos", "test videos", "training frames", "test frames", "anomalous test frames"],
    )


def forest_rows(
    intervals: Mapping[str, Interval],
    detectors: Mapping[str, Results],
    paper: Mapping[str, PaperValue],
    blind: Mapping[str, Mapping],
) -> pd.DataFrame:
    """For `vadlib.figures.forest`: a row a detector; what learns from labels has one for each protocol.

    `intervals` are AUROCs by detector, of the frames that all scored, `detectors` the results of their chapters, and
    `blind` the ``scores`` of ``22_labels_alone``. Where a chapter has ``by_protocol`` in its metrics, its parameter
    `protocol` is that of `intervals`, and the other AUROCs are of all its own frames.
    """
    first, rest = [], []
    for title, interval in intervals.items():
        found, stated = detectors.get(title), paper.get(f"{_paper_of(title)}_auroc")
        by_protocol = found.metrics.get("by_protocol", {}) if found else {}
        own = found.run["parameters"]["protocol"] if by_protocol else ""
        first.append((title, own, interval, stated.value if stated else None))
        others = {name: values["micro_auroc_interval"] for name, values in by_protocol.items() if name != own}
        rest += [(title, name, interval_of(entry), None) for name, entry in others.items()]
    rows = [
        {
            "title": f"{title},\n{protocol}" if protocol else title,
            "colour": catalogue.entry(title).colour,
            "paper": stated,
            **{"estimate": interval.estimate, "low": interval.low, "high": interval.high},
            "blind": blind_ticks(blind, protocol),
        }
        for title, protocol, interval, stated in first + rest
    ]
    return pd.DataFrame(rows).set_index("title").astype({"paper": float})


def blind_ticks(blind: Mapping[str, Mapping], protocol: str) -> list[float]:
    """AUROCs of the scores that look at no picture and could be had under a protocol (empty: without labels)."""
    names = [*TICKS, *([nearest_label_column(protocol)] if protocol else [])]
    return [blind[name]["micro_auroc_interval"]["estimate"] for name in names if name in blind]


def frames_used(detectors: Mapping[str, Results], paper: Mapping[str, PaperValue]) -> pd.DataFrame:
    """The paper's Table 1 with ours beside it: frames fitted and tested, by each of its detectors."""
    rows = {}
    for title, found in detectors.items():
        entry = _paper_of(title)
        if not entry:
            continue
        metrics = found.metrics
        anomalous = metrics.get("n_fit_anomalous", 0)
        classes = f"{anomalous:,} of them anomalous" if anomalous else "normal only"
        rows[title] = {
            "training frames, paper": f"{paper[f'{entry}_training_frames'].value:,}",
            "training frames, here": f"{metrics['n_fit_frames']:,} ({classes})",
            "test frames, paper": f"{paper[f'{entry}_test_frames'].value:,}",
            "test frames, here": f"{metrics['n_frames']:,} ({metrics['n_anomalous']:,} anomalous)",
            "purpose": str(paper[f"{entry}_purpose"].value),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def cost_table(
    intervals: Mapping[str, Interval], detectors: Mapping[str, Results], paper: Mapping[str, PaperValue]
) -> pd.DataFrame:
    """The paper's Table 2 with measurements in place of adjectives, for every detector that has a chapter."""
    rows = {}
    for title, found in detectors.items():
        metrics, entry = found.metrics, _paper_of(title)
        has_map = catalogue.entry(title).cls.heat_label is not None
        located = metrics.get("localisation")
        rows[title] = {
            "AUROC, paper": f"{paper[f'{entry}_auroc'].value:.3f}" if entry else "none",
            "AUROC, here": f"{intervals[title]:.3f}",
            "cost, paper": str(paper[f"{entry}_cost"].value) if entry else "none",
            "fit, s": f"{metrics['fit_seconds']:.1f}" if "fit_seconds" in metrics else "not timed",
            "a frame, ms": f"{1000 * metrics['frame_seconds']:.0f}" if "frame_seconds" in metrics else "not timed",
            "peak memory of the chapter, GB": f"{found.run['peak_host_bytes'] / 1e9:.1f}",
            "network, million parameters": f"{metrics['n_parameters'] / 1e6:.1f}",
            "interpretability, paper": str(paper[f"{entry}_interpretability"].value) if entry else "none",
            "hottest pixel in the mask [95 %]": _bounds(located, "pointing") if has_map else "no heatmap",
            "by chance": _bounds(located, "mask_share", short=True) if has_map else "",
            "pixel AUROC [95 %]": _bounds(located, "pixel_auroc") if has_map else "",
        }
    return pd.DataFrame.from_dict(rows, orient="index").T


def whole_workload(detectors: Mapping[str, Results], paper: Mapping[str, PaperValue]) -> pd.DataFrame:
    """What the paper's Table 1 would take at the rates of a build: minutes to fit and score its frames, by detector.

    Fitting is taken to cost a frame what scoring does or, where it was measured to cost more, that.
    """
    rows = {}
    for title, found in detectors.items():
        entry, metrics = _paper_of(title), found.metrics
        if not entry:
            continue
        n_fit, n_score = (paper[f"{entry}_{name}_frames"].value for name in ("training", "test"))
        frame_s = metrics["frame_seconds"]
        minutes = (n_fit * max(metrics["fit_seconds"] / metrics["n_fit_frames"], frame_s) + n_score * frame_s) / 60
        rows[title] = {"frames": n_fit + n_score, "a frame, ms": 1000 * frame_s, "minutes": minutes}
    return pd.DataFrame.from_dict(rows, orient="index").astype({"frames": int})


def _paper_of(title: str) -> str:
    """Prefix of a detector's entries among the paper's values; empty where the paper has none of it."""
    entry = catalogue.entry(title)
    return entry.cls.paper or "" if title == entry.cls.title else ""


def _bounds(located: Mapping | None, name: str, *, short: bool = False) -> str:
    if located is None:
        return "no masks"
    interval = Interval(**located[name])
    return f"{interval.estimate:.2f}" if short else f"{interval:.2f}"


def _three(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
