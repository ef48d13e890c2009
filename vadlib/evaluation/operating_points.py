"""What a score is worth in use: where anomalies are rare, and where each alarm is somebody's work."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError
from vadlib.evaluation.alarms import AlarmRule, find_events
from vadlib.evaluation.metrics import check_labels_scores, roc_curve
from vadlib.evaluation.postprocessing import check_scores_clips, rows_of_clips


@dataclass(frozen=True)
class Alarms:
    """How often a camera calls, at the threshold that finds a wanted share of the anomalous frames."""

    threshold: float  # frames that score at least this raise the alarm
    recall: float  # share of anomalous frames found: at least what was wanted, more where scores tie
    false_positive_rate: float  # share of normal frames that raise the alarm
    n_alarms: int  # runs of alarming frames, joined over gaps, and raised again where they last
    n_false_alarms: int  # those with no anomalous frame among the alarming ones
    hours: float  # duration of the table's clips
    normal_hours: float  # duration of its normal frames

    @property
    def alarms_per_hour(self) -> float:
        """All alarms, an hour of video. Test sets hold far more anomalies than a day at a camera does."""
        return self.n_alarms / self.hours

    @property
    def false_alarms_per_hour(self) -> float:
        """False alarms per hour of *normal* video: how often a quiet camera calls, whatever its rate of anomalies."""
        return self.n_false_alarms / self.normal_hours

    @property
    def false_alarm_minutes_per_hour(self) -> float:
        """Minutes under false alarm per hour of normal video: 60 for an alarm that never ends, which calls but once."""
        return 60 * self.false_positive_rate


def average_precision_at(labels, scores, prevalence: float) -> float:
    """Average precision had anomalous frames been as rare as `prevalence`, with the same scores in each class.

    Precision at a threshold is pi TPR / (pi TPR + (1 - pi) FPR), and the steps in recall stay as they are; this is
    `average_precision` with the classes' frames weighted. By chance it is about `prevalence`.

    Parameters
    ----------
    labels, scores : (n,)
    prevalence : float
        In (0, 1): the share of anomalous frames to weight to.

    Returns
    -------
    float
        In (0, 1].
    """
    if not 0 < prevalence < 1:
        raise ParameterError(f"prevalence must lie in (0, 1), the share of anomalous frames; got {prevalence!r}.")
    fpr, tpr, _ = roc_curve(labels, scores)
    gained = np.diff(tpr)
    tpr, fpr = tpr[1:], fpr[1:]
    precision = prevalence * tpr / (prevalence * tpr + (1 - prevalence) * fpr)
    return float(np.sum(gained * precision))


def alarms_at_recall(
    labels,
    scores,
    clips,
    *,
    fps: float,
    recall: float = 0.9,
    gap_s: float = 1.0,
    max_s: float = AlarmRule.max_seconds,
    frames=None,
    hours=None,
    normal_hours=None,
) -> Alarms:
    """Alarms an hour at the highest threshold that finds a wanted share of the anomalous frames.

    Frames at or above the threshold alarm. Alarming frames of a clip with less than `gap_s` of silence between them are
    one alarm. A clip lasts as long as its frames are many and apart; a table of every n-th frame misses the alarms in
    between, and needs a `gap_s` above the distance of its frames.

    Parameters
    ----------
    labels, scores, clips : (n,)
    fps : float
        Frames a second of the video.
    recall : float
        In (0, 1].
    gap_s : float
        Seconds, at least 0; with 0 only neighbouring frames are joined.
    max_s : float
        Seconds, above 0, after which an alarm that lasts is raised again.
    frames : (n,), optional
        Frame numbers, for the order, the gaps and the time that a row stands for (the clip's median distance from frame
        to frame); by default the rows of a clip are its frames, one after the other.
    hours, normal_hours : float, optional
        Duration of the clips and of their normal frames, where the rows are drawn from them at random: distances
        between drawn frames say little about it, and a draw by class nothing about the share that is normal.

    Raises
    ------
    ParameterError
        As `auroc`; `fps`, `recall`, `gap_s` or `max_s` out of range.
    """
    if not (np.isfinite(fps) and fps > 0):
        raise ParameterError(f"fps must be a number of frames a second, above 0; got {fps!r}.")
    if not 0 < recall <= 1:
        raise ParameterError(f"recall must lie in (0, 1]; got {recall!r}.")
    if not gap_s >= 0:
        raise ParameterError(f"gap_s must be a number of seconds, at least 0; got {gap_s!r}.")
    for name, value in (("max_s", max_s), ("hours", hours), ("normal_hours", normal_hours)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ParameterError(f"{name} must be a duration above 0; got {value!r}.")
    labels, scores = check_labels_scores(labels, scores)
    _, codes = check_scores_clips(scores, clips)
    falling = np.sort(scores[labels])[::-1]
    threshold = falling[int(np.ceil(recall * len(falling) - 1e-9)) - 1]  # 0.95 of 100 frames is 95 of them
    alarming = scores >= threshold
    frames = pd.Series(codes).groupby(codes).cumcount().to_numpy() if frames is None else np.asarray(frames)
    # joined if closer than gap_s: at most one frame less than that between them
    max_gap = max(0, int(np.ceil(min(gap_s * fps, np.iinfo(np.int32).max))) - 1)
    n_alarms = n_false = 0
    duration = normal_duration = 0.0  # in frames
    for rows in rows_of_clips(codes, frames):
        step = float(np.median(np.diff(frames[rows]))) if len(rows) > 1 else 1.0
        duration += step * len(rows)
        normal_duration += step * (~labels[rows]).sum()
        events = find_events(
            scores[rows], threshold, max_gap=max_gap, max_length=max(1, int(max_s * fps)), first=frames[rows]
        )
        hits = np.flatnonzero(labels[rows] & alarming[rows])
        first, past = np.searchsorted(frames[rows][hits], [events["first"], events["last"] + 1])
        n_alarms += len(events)
        n_false += int((first == past).sum())
    return Alarms(
        float(threshold),
        float(alarming[labels].mean()),
        float(alarming[~labels].mean()),
        n_alarms,
        n_false,
        duration / fps / 3600 if hours is None else float(hours),
        float(normal_duration / fps / 3600) if normal_hours is None else float(normal_hours),
    )
