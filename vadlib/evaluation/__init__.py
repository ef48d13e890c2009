"""Figures of merit and their intervals: arrays and data frames in, numbers out; nothing here knows a detector."""

from vadlib.evaluation.blind import BLIND_BASELINES, blind_scores, nearest_fit_label
from vadlib.evaluation.comparisons import SeedSpread, auroc_over_seeds, compare_all, holm, spread_over_seeds
from vadlib.evaluation.coverage import coverage, coverage_study
from vadlib.evaluation.factors import rank_correlation_within, share_explained
from vadlib.evaluation.groups import anomalous_stretches, auroc_by_group, event_of_frames, extreme_frames
from vadlib.evaluation.intervals import (
    Interval,
    RocBand,
    auroc_by_unit,
    bootstrap_auroc,
    bootstrap_difference,
    bootstrap_roc_band,
    delong_auroc,
)
from vadlib.evaluation.leakage import leakage_report, nearest_fit_distance, nearest_fit_similarity
from vadlib.evaluation.localisation import bootstrap_mean, localisation
from vadlib.evaluation.metrics import (
    auroc,
    average_precision,
    equal_error_rate,
    fpr_at_tpr,
    overlap_coefficient,
    roc_curve,
    summarize,
)
from vadlib.evaluation.operation import Alarms, alarms_at_recall, average_precision_at
from vadlib.evaluation.postprocessing import (
    TunedSmoothing,
    balanced_rows,
    macro_auroc,
    normalise_per_clip,
    padded_macro_auroc,
    smooth_per_clip,
    tune_smoothing,
)
from vadlib.evaluation.simulation import ScoreModel, Shapes

__all__ = [
    "BLIND_BASELINES",
    "Alarms",
    "Interval",
    "RocBand",
    "ScoreModel",
    "SeedSpread",
    "Shapes",
    "TunedSmoothing",
    "alarms_at_recall",
    "anomalous_stretches",
    "auroc",
    "auroc_by_group",
    "auroc_by_unit",
    "auroc_over_seeds",
    "average_precision",
    "average_precision_at",
    "balanced_rows",
    "blind_scores",
    "bootstrap_auroc",
    "bootstrap_difference",
    "bootstrap_mean",
    "bootstrap_roc_band",
    "compare_all",
    "coverage",
    "coverage_study",
    "delong_auroc",
    "equal_error_rate",
    "event_of_frames",
    "extreme_frames",
    "fpr_at_tpr",
    "holm",
    "leakage_report",
    "localisation",
    "macro_auroc",
    "nearest_fit_distance",
    "nearest_fit_label",
    "nearest_fit_similarity",
    "normalise_per_clip",
    "overlap_coefficient",
    "padded_macro_auroc",
    "rank_correlation_within",
    "roc_curve",
    "share_explained",
    "smooth_per_clip",
    "spread_over_seeds",
    "summarize",
    "tune_smoothing",
]
