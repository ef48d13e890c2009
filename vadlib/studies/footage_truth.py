"""What labels say of the footage watched, clip by clip."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from vadlib.evaluation import anomalous_stretches, match_alarms

YES, NO, NOT_LABELLED = "yes", "no", "not labelled"  # whether a moment overlaps an event


def labelled_events(named: pd.DataFrame, tested: pd.DataFrame, known_clips: Iterable[str]) -> pd.DataFrame | None:
    """The events that labels tell of, those between two frames that were scored, too; None where no clip is known.

    `named` is the data set's own list, no rows where it has none; `tested` has the label of every frame of the test
    clips, not of those sampled only; `known_clips` have labels, and some frame of each was scored. Where labels say
    that nothing happens, there are no rows.
    """
    known_clips = set(known_clips)
    if not known_clips:
        return None
    events = named if len(named) else anomalous_stretches(tested)
    return events[events["clip"].isin(known_clips)].reset_index(drop=True)


def match_alarms_with_labels(moments: pd.DataFrame, events: pd.DataFrame, known_clips: Iterable[str]) -> np.ndarray:
    """Whether each moment of `merge_alarms` overlaps a true event of `labelled_events`, as far as anybody knows.

    "yes", "no", or "not labelled" in a clip without labels, object (n,).
    """
    known = moments["clip"].isin(set(known_clips)).to_numpy()
    true = match_alarms(moments, events)[0]
    return np.where(known, np.where(true, YES, NO), NOT_LABELLED).astype(object)
