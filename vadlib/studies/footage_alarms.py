"""Alarms in footage that was scored, what labels say of them, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from vadlib.data import VideoDataset
from vadlib.evaluation import (
    AlarmRule,
    Threshold,
    match_alarms,
)
from vadlib.studies.false_alarm_targets import METHODS, FalseAlarmTarget, check_targets, thresholds_for_target
from vadlib.studies.footage import alarms_of_all, merge_alarms, standardised
from vadlib.studies.footage_truth import labelled_events, match_alarms_with_labels


@dataclass(frozen=True)
class FootageAlarms:
    """What detectors raised alarms for, at thresholds chosen on normal footage.

    `normal` and `scores` have ``clip``, ``frame``, ``last``, ``label`` and a column a detector, of frames sampled: held
    out, and watched.
    """

    normal: pd.DataFrame
    scores: pd.DataFrame
    thresholds: dict[str, Threshold]
    target: FalseAlarmTarget
    target_note: str  # what stands between it and the one asked for, or nothing
    alarms: dict[str, pd.DataFrame]  # by detector, from `list_alarms`
    strange: pd.DataFrame  # from `standardised`
    events: pd.DataFrame | None  # from `labelled_events`
    moments: pd.DataFrame  # from `merge_alarms`, with a column `true` where there are labels
    fps: Mapping[str, float]
    rule: AlarmRule
    low_share: float  # of normal frames at or above a low threshold

    @property
    def detectors(self) -> list[str]:
        """Their titles."""
        return list(self.thresholds)

    @property
    def known(self) -> pd.DataFrame:
        """The frames watched whose label is known."""
        return self.scores[self.scores["label"] >= 0]

    @property
    def to_show(self) -> pd.DataFrame:
        """The frames that a gallery chooses from: those whose label is known, or, without labels, all watched."""
        return self.scores if self.events is None else self.known

    @property
    def strangeness(self) -> np.ndarray:
        """Of the frames watched."""
        return self.strange["strangeness"].to_numpy()

    @cached_property
    def strangest_clips(self) -> list[str]:
        """Clips watched, the one with the strangest frame first."""
        highest = self.strange["strangeness"].groupby(self.scores["clip"]).max()
        return highest.sort_values(ascending=False).index.tolist()

    @cached_property
    def every_alarm(self) -> pd.DataFrame:
        """The alarms of all detectors, with a column ``detector``."""
        return pd.concat([found.assign(detector=name) for name, found in self.alarms.items()], ignore_index=True)

    def check(self, asked: Iterable[FalseAlarmTarget], *, seed: int) -> tuple[pd.DataFrame, str]:
        """`check_targets` of the target in use, and of others, each by both methods."""
        targets = [FalseAlarmTarget(other.rate, other.unit, method) for other in asked for method in METHODS]
        normal_watched = self.known[self.known["label"] == 0]
        return check_targets(
            self.normal,
            normal_watched if len(normal_watched) else None,
            self.detectors,
            list(dict.fromkeys([self.target, *targets])),
            seed=seed,
            fps=self.fps,
            rule=self.rule,
            low_share=self.low_share,
        )

    def metrics(self) -> dict:
        """For `metrics.json`."""
        usual = self.normal[self.detectors]
        events_found = None if self.events is None else int(match_alarms(self.moments, self.events)[1].sum())
        return {
            "n_frames": len(self.scores),
            "n_held_out_frames": len(self.normal),
            "labelled": self.events is not None,
            "promised": {"rate": self.target.rate, "unit": self.target.unit, "method": self.target.method},
            "thresholds": {
                name: {
                    "high": found.high,
                    "low": found.low,
                    "normal_mean": float(usual[name].mean()),
                    "normal_std": float(usual[name].std(ddof=0)),
                    "n_alarms": len(self.alarms[name]),
                }
                for name, found in self.thresholds.items()
            },
            "n_moments": len(self.moments),
            "n_events": None if self.events is None else len(self.events),
            "n_events_found": events_found,
        }


def find_alarms(
    scored: pd.DataFrame,
    detectors: Iterable[str],
    videos: VideoDataset,
    target: FalseAlarmTarget,
    *,
    rule: AlarmRule,
    low_share: float,
) -> FootageAlarms:
    """Choose thresholds on the normal footage held out, and raise alarms in the footage watched.

    Parameters
    ----------
    scored : DataFrame
        ``clip``, ``frame``, ``last``, ``label``, ``split`` and a column a detector, of the frames sampled; held-out
        normal footage is of the split ``train``.
    detectors : iterable of str
    videos : VideoDataset
    target : FalseAlarmTarget
        Another is taken where this footage is too short for it (see `thresholds_for_target`).
    rule : AlarmRule
    low_share : float
        Of normal frames at or above the low threshold, where an alarm begins and ends.
    """
    detectors, fps = list(detectors), {clip.id: clip.fps for clip in videos.clips}
    normal, scores = scored[scored["split"] == "train"], scored[scored["split"] == "test"]
    thresholds, target, note = thresholds_for_target(normal, detectors, target, fps=fps, rule=rule, low_share=low_share)
    alarms = alarms_of_all(scores, thresholds, fps=fps, rule=rule)
    strange = standardised(scores, normal, detectors)
    table, known_clips = videos.frame_table(), scores.loc[scores["label"] >= 0, "clip"]
    events = labelled_events(videos.events, table[table["split"] == "test"], known_clips)
    moments = merge_alarms(alarms, scores, strange["strangeness"].to_numpy(), fps)
    if events is not None:
        moments["true"] = match_alarms_with_labels(moments, events, known_clips)
    return FootageAlarms(
        normal, scores, thresholds, target, note, alarms, strange, events, moments, fps, rule, low_share
    )
