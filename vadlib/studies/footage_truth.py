"""What labels say of the footage watched, clip by clip."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from vadlib.evaluation import anomalous_stretches, match_alarms

YES, NO, NOT_LABELLED = "yes", "no", "not labelled"  # whether a moment overlaps an event


def labelled_events(named: pd.DataFrame, tested: pd.DataFrame, known_clips: Iterable[str]) -> pd.DataFrame | None:
    """The events that labels tell of, those among them between two frames that were scored.

    Parameters
    ----------
    named : DataFrame
        ``clip``, ``first``, ``last``, ``event``: the data set's own list; no rows where it has none.
    tested : DataFrame
        ``clip``, ``frame``, ``label`` of every frame of the test clips, not of those sampled only.
    known_clips : iterable of str
        Clips that have labels, and of which some frame was scored.

    Returns
    -------
    DataFrame or None
        Of the known clips; no rows where their labels say that nothing happens. None where no clip is known.
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
