"""Figures of merit and their intervals: arrays and data frames in, numbers out; nothing here knows a detector."""

from vadlib.evaluation.events import (
    AlarmRule,
    find_events,
    footage_hours,
    found_against_alarms,
    list_alarms,
    match_alarms,
)
from vadlib.evaluation.factors import rank_correlation_within, share_explained
from vadlib.evaluation.groups import anomalous_stretches, auroc_by_group, event_of_frames, extreme_frames
from vadlib.evaluation.intervals import (
    Interval,
    RocBand,
    bootstrap_auroc,
    bootstrap_difference,
    bootstrap_roc_band,
    delong_auroc,
)
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
from vadlib.evaluation.promises import choose_threshold, cross_checked_rate, poisson_interval, realised_rate
from vadlib.evaluation.thresholds import Threshold, alarm_threshold, frame_threshold, low_threshold

__all__ = [
    "AlarmRule",
    "Interval",
    "RocBand",
    "Threshold",
    "alarm_threshold",
    "anomalous_stretches",
    "auroc",
    "auroc_by_group",
    "average_precision",
    "bootstrap_auroc",
    "bootstrap_difference",
    "bootstrap_mean",
    "bootstrap_roc_band",
    "choose_threshold",
    "cross_checked_rate",
    "delong_auroc",
    "equal_error_rate",
    "event_of_frames",
    "extreme_frames",
    "find_events",
    "footage_hours",
    "found_against_alarms",
    "fpr_at_tpr",
    "frame_threshold",
    "list_alarms",
    "localisation",
    "low_threshold",
    "match_alarms",
    "overlap_coefficient",
    "poisson_interval",
    "rank_correlation_within",
    "realised_rate",
    "roc_curve",
    "share_explained",
    "summarize",
]
