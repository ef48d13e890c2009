"""Figures of merit and their intervals: arrays and data frames in, numbers out; nothing here knows a detector."""

from vadlib.evaluation.alarms import (
    AlarmRule,
    find_events,
    footage_hours,
    found_against_alarms,
    list_alarms,
    match_alarms,
)
from vadlib.evaluation.blind import BLIND_BASELINES, blind_scores, nearest_fit_label, shuffled_scene_rates
from vadlib.evaluation.by_event import anomalous_stretches, auroc_by_group, event_of_frames, extreme_frames
from vadlib.evaluation.comparisons import SeedSpread, auroc_over_seeds, compare_all, holm, spread_over_seeds
from vadlib.evaluation.confounders import rank_correlation_within, share_explained
from vadlib.evaluation.coverage import coverage, coverage_study
from vadlib.evaluation.false_alarm_rates import choose_threshold, cross_checked_rate, poisson_interval, realised_rate
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
    equal_normal_overlap,
    fpr_at_tpr,
    overlap_coefficient,
    roc_curve,
    summarize,
)
from vadlib.evaluation.operating_points import Alarms, alarms_at_recall, average_precision_at
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
from vadlib.evaluation.thresholds import Threshold, alarm_threshold, frame_threshold, low_threshold

__all__ = [
    "BLIND_BASELINES", "AlarmRule", "Alarms", "Interval", "RocBand", "ScoreModel", "SeedSpread", "Shapes", "Threshold",
    "TunedSmoothing", "alarm_threshold", "alarms_at_recall", "anomalous_stretches", "auroc", "auroc_by_group",
    "auroc_by_unit", "auroc_over_seeds", "average_precision", "average_precision_at", "balanced_rows", "blind_scores",
    "bootstrap_auroc", "bootstrap_difference", "bootstrap_mean", "bootstrap_roc_band", "choose_threshold",
    "compare_all", "coverage", "coverage_study", "cross_checked_rate", "delong_auroc", "equal_error_rate",
    "equal_normal_overlap", "event_of_frames", "extreme_frames", "find_events", "footage_hours", "found_against_alarms",
    "fpr_at_tpr", "frame_threshold", "holm", "leakage_report", "list_alarms", "localisation", "low_threshold",
    "macro_auroc", "match_alarms", "nearest_fit_distance", "nearest_fit_label", "nearest_fit_similarity",
    "normalise_per_clip", "overlap_coefficient", "padded_macro_auroc", "poisson_interval", "rank_correlation_within",
    "realised_rate", "roc_curve", "share_explained", "shuffled_scene_rates", "smooth_per_clip", "spread_over_seeds",
    "summarize", "tune_smoothing",
]  # fmt: skip
