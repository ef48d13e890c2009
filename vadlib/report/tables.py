"""Tables that chapters show: figures of merit, frames used, costs, comparisons."""

from collections.abc import Mapping

import pandas as pd

from vadlib.errors import ResultsError
from vadlib.evaluation import Interval
from vadlib.report.paper import PaperValue, load_paper_values
from vadlib.runs.results import Results


def table_of_merit(
    intervals: Mapping[str, Interval], summaries: Mapping[str, Mapping], *, names: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """One row a score: its AUROC with interval, and the other figures of merit, as text.

    Parameters
    ----------
    intervals : mapping of str to Interval
        Micro AUROC by score.
    summaries : mapping of str to mapping
        From `vadlib.evaluation.summarize`, by score.
    names : mapping of str to str, optional
        What to write for a score.
    """
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


def frame_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Videos and frames of both splits: as the paper states them, as ShanghaiTech counts them, and as they are here.

    Parameters
    ----------
    table : DataFrame
        A data set's frame table.
    """
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


def frame_scores_of(results: Mapping[str, Results]) -> tuple[pd.DataFrame, list[str]]:
    """One table of all detectors' scores, of the frames that all of them scored.

    Parameters
    ----------
    results : mapping of str to Results
        With ``02_padim``, ``03_gradcam_ssim`` and ``04_clip_prototypes``.

    Returns
    -------
    scores : DataFrame
        ``clip``, ``frame``, ``label``, ``scene`` and one column a detector.
    detectors : list of str
        Those columns, named as `vadlib.figures.DETECTOR_COLOURS` names them.

    Raises
    ------
    ResultsError
        If the experiments have no test frame in common.
    """
    padim, gradcam, clip = (results[name] for name in ("02_padim", "03_gradcam_ssim", "04_clip_prototypes"))
    columns = {
        "PaDiM": (padim, padim.run["parameters"]["frame_score"]),
        "Grad-CAM + SSIM": (gradcam, "ssim"),
        "SPADE": (gradcam, "knn"),
        "One-class prototypes": (clip, "one_class_ensemble"),
        "Prototypes": (clip, "ensemble"),
    }
    scores = padim.scores[["clip", "frame", "label", "scene"]]
    for name, (found, column) in columns.items():
        own = found.scores[["clip", "frame", column]].rename(columns={column: name})
        scores = scores.merge(own, on=["clip", "frame"], how="inner", validate="one_to_one")
    if scores.empty:
        raise ResultsError(
            f"{padim.path.parent}: the detectors' experiments have no test frame in common; run them with the same "
            "data set, seed and numbers of test frames"
        )
    return scores, list(columns)


def blind_ticks(labels_alone: Mapping, protocol: str) -> list[float]:
    """AUROCs of the scores that look at no picture and could be had under a protocol.

    Parameters
    ----------
    labels_alone : mapping
        Metrics of ``22_labels_alone``.
    protocol : str
        Where the labels come from that a detector is fitted on; empty for detectors that see none.
    """
    names = ["scene_rate_other_clips", "position", "middle"]
    names += [f"nearest_fit_label_{protocol.replace('-', '_')}"] if protocol else []
    found = labels_alone["blind"]
    return [found[name]["micro_auroc_interval"]["estimate"] for name in names if name in found]


def frames_used(results: Mapping[str, Results], paper: Mapping[str, PaperValue]) -> pd.DataFrame:
    """The paper's Table 1 with ours beside it: frames fitted and tested, by detector.

    Parameters
    ----------
    results : mapping of str to Results
        ``PaDiM``, ``Grad-CAM + SSIM`` and ``Prototypes``.
    paper : mapping of str to PaperValue
    """
    entries = {"PaDiM": "padim", "Grad-CAM + SSIM": "gradcam", "Prototypes": "clip"}
    rows = {}
    for name, found in results.items():
        metrics, key = found.metrics, entries[name]
        anomalous = metrics.get("n_fit_anomalous", 0)
        classes = f"{anomalous:,} of them anomalous" if anomalous else "normal only"
        rows[name] = {
            "training frames, paper": f"{paper[f'{key}_training_frames'].value:,}",
            "training frames, here": f"{metrics['n_fit_frames']:,} ({classes})",
            "test frames, paper": f"{paper[f'{key}_test_frames'].value:,}",
            "test frames, here": f"{metrics['n_frames']:,} ({metrics['n_anomalous']:,} anomalous)",
            "purpose": str(paper[f"{key}_purpose"].value),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def cost_table(
    intervals: Mapping[str, Interval], results: Mapping[str, Results], paper: Mapping[str, PaperValue]
) -> pd.DataFrame:
    """The paper's Table 2 with measurements in place of adjectives.

    The prototypes' costs are those of embedding every frame anew, at the rate measured without the cache.

    Parameters
    ----------
    intervals : mapping of str to Interval
        AUROC by detector, of this build.
    results : mapping of str to Results
        ``padim``, ``gradcam`` (SPADE as well) and ``clip``.
    paper : mapping of str to PaperValue
    """
    rows = {}
    for name, (key, entry, located_as, stages) in _COSTS.items():
        found, auroc = results[key], f"{entry}_auroc"
        fit_s, frame_s = _seconds(found, *stages)
        located = found.metrics["localisation"] if located_as else None
        located = located.get(located_as, located) if located else None
        rows[name] = {
            "AUROC, paper": f"{paper[auroc].value:.3f}" if entry else "none",
            "AUROC, here": f"{intervals[name]:.3f}",
            "cost, paper": str(paper[f"{entry}_cost"].value) if entry else "none",
            "fit, s": f"{fit_s:.1f}",
            "a frame, ms": f"{1000 * frame_s:.0f}",
            "peak memory of the chapter, GB": f"{found.run['peak_host_bytes'] / 1e9:.1f}",
            "network, million parameters": f"{found.metrics['n_parameters'] / 1e6:.1f}",
            "interpretability, paper": str(paper[f"{entry}_interpretability"].value) if entry else "none",
            "hottest pixel in the mask [95 %]": _bounds(located, "pointing") if located_as else "no heatmap",
            "by chance": _bounds(located, "mask_share", short=True) if located_as else "",
            "pixel AUROC [95 %]": _bounds(located, "pixel_auroc") if located_as else "",
        }
    return pd.DataFrame.from_dict(rows, orient="index").T


# Detector: its results, its entries in the paper's values, its heatmap's name, and its stages of fit and of score.
_COSTS = {
    "PaDiM": ("padim", "padim", "padim", ("fit", "score")),
    "Grad-CAM + SSIM": ("gradcam", "gradcam", "ssim", ("fit", "score")),
    "SPADE": ("gradcam", None, "knn", ("fit SPADE", "score SPADE")),
    "Prototypes": ("clip", "clip", None, ("fit and score", "embed without cache")),
}


def _seconds(found: Results, fit: str, score: str) -> tuple[float, float]:
    """What fitting took, and scoring a frame."""
    stages, timed = found.run["stages"], found.run.get("n_timed")
    frame_s = stages[score]["seconds"] / (timed or found.metrics["n_frames"])
    return stages[fit]["seconds"] + (found.metrics["n_fit_frames"] * frame_s if timed else 0.0), frame_s


def whole_workload(results: Mapping[str, Results]) -> pd.DataFrame:
    """What the paper's Table 1 would take at the rates of a build: minutes to fit and to score, by detector.

    Parameters
    ----------
    results : mapping of str to Results
        With ``02_padim``, ``03_gradcam_ssim`` and ``04_clip_prototypes``.

    Returns
    -------
    DataFrame
        Index: detector; ``frames`` (fitted and scored, of the paper), ``a frame, ms``, ``minutes``, with fitting taken
        to cost a frame what scoring does or, where it was measured to cost more, that.
    """
    frames = {"PaDiM": (2000, 8000), "Grad-CAM + SSIM": (100, 8000), "Prototypes": (4000, 8000)}
    keys = {"padim": "02_padim", "gradcam": "03_gradcam_ssim", "clip": "04_clip_prototypes"}
    rows = {}
    for name, (n_fit, n_score) in frames.items():
        key, _, _, stages = _COSTS[name]
        found = results[keys[key]]
        fit_s, frame_s = _seconds(found, *stages)
        minutes = (n_fit * max(fit_s / found.metrics["n_fit_frames"], frame_s) + n_score * frame_s) / 60
        rows[name] = {"frames": n_fit + n_score, "a frame, ms": 1000 * frame_s, "minutes": minutes}
    return pd.DataFrame.from_dict(rows, orient="index").astype({"frames": int})


def compare_detectors(comparisons: pd.DataFrame) -> pd.DataFrame:
    """One row a pair of detectors, as text: the difference of their AUROCs, and whether they can be told apart.

    Parameters
    ----------
    comparisons : DataFrame
        From `compare_all`: the verdict is by its correction for the number of pairs.
    """
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


def _bounds(located: Mapping | None, name: str, *, short: bool = False) -> str:
    if located is None:
        return "no masks"
    interval = Interval(**located[name])
    return f"{interval.estimate:.2f}" if short else f"{interval:.2f}"


def _three(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
