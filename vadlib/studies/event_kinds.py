"""Which kinds of event each of several scores finds."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError
from vadlib.evaluation import auroc_by_group, event_of_frames
from vadlib.evaluation.intervals import MIN_UNITS


def kinds_by_score(
    scored: pd.DataFrame, columns: Iterable[str], events: pd.DataFrame, *, n_resamples: int = 1000, seed: int = 0
) -> dict[str, dict[str, dict]]:
    """AUROC of each kind of event's frames against all normal frames, for each of some scores.

    Parameters
    ----------
    scored : DataFrame
        ``clip``, ``frame``, ``label`` and the scores.
    columns : iterable of str
        Of scores.
    events : DataFrame
        ``clip``, ``first``, ``last``, ``event``. A frame of two events counts for the one that began first.
    n_resamples, seed : int
        Of the bootstrap over clips.

    Returns
    -------
    dict
        By score and kind: ``estimate``, ``low`` and ``high`` (None for a kind from fewer than six clips),
        ``n_frames`` and ``n_clips`` of its anomalous frames; the most frequent kind first.

    Raises
    ------
    ParameterError
        An anomalous frame that no event covers.
    """
    kinds = event_of_frames(scored, events)
    unnamed = np.flatnonzero((scored["label"] == 1) & (kinds == ""))
    if len(unnamed):
        row = scored.iloc[unnamed[0]]
        raise ParameterError(f"events: none covers frame {row['frame']} of clip {row['clip']}, which is anomalous.")
    found = {}
    for name in columns:
        table = auroc_by_group(scored, name, kinds, n_resamples=n_resamples, seed=seed)
        table = table.sort_values("n_frames", ascending=False, kind="stable")
        found[name] = {
            row.Index: {
                "estimate": row.estimate,
                "low": row.low if row.n_clips >= MIN_UNITS else None,
                "high": row.high if row.n_clips >= MIN_UNITS else None,
                "n_frames": int(row.n_frames),
                "n_clips": int(row.n_clips),
            }
            for row in table.itertuples()
        }
    return found
