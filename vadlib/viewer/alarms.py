"""The clip viewer of alarms in footage."""

from __future__ import annotations

import os
from collections.abc import Mapping

from vadlib.data import VideoDataset
from vadlib.detectors import Detector
from vadlib.studies.footage_alarms import FootageAlarms
from vadlib.viewer.clips import clips_to_show
from vadlib.viewer.page import write_viewer


class AlarmViewer:
    """The clips with the strangest moments, ready to be written: their heatmaps are computed now (see `clips_to_show`).

    Parameters
    ----------
    videos : VideoDataset
    found : FootageAlarms
    detectors : mapping of str to Detector
        Those whose heatmaps are shown.
    n_clips : int
    size : (height, width)
        Of the frames that the detectors take.
    batch_size : int
    """

    def __init__(
        self,
        videos: VideoDataset,
        found: FootageAlarms,
        detectors: Mapping[str, Detector],
        *,
        n_clips: int,
        size: tuple[int, int],
        batch_size: int = 32,
    ):
        self.found = found
        self.viewed = found.scores[found.scores["clip"].isin(found.strangest_clips[:n_clips])]
        self.clips, self.limits = clips_to_show(videos, self.viewed, detectors, size=size, batch_size=batch_size)

    @property
    def n_clips(self) -> int:
        """Clips shown."""
        return self.viewed["clip"].nunique()

    def write(self, path: str | os.PathLike, *, title: str, note: str) -> dict:
        """Write the file, as `write_viewer`."""
        found, every = self.found, self.found.every_alarm
        return write_viewer(
            path,
            self.clips,
            self.viewed,
            found.detectors,
            thresholds={name: threshold.high for name, threshold in found.thresholds.items()},
            threshold_rule="chosen on held-out normal footage",
            alarms=every[every["clip"].isin(self.viewed["clip"])],
            alarm_rule=f"An alarm begins and ends at a lower threshold and lasts at least {found.rule.min_seconds:g} s",
            heat_limits=self.limits,
            title=title,
            note=note,
        )
