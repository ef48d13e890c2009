"""What a detector finds and what it misses: figures by kind of event, and the most telling frames."""

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError
from vadlib.evaluation.intervals import bootstrap_auroc
from vadlib.evaluation.metrics import auroc
from vadlib.spans import runs_of_ones


def event_of_frames(table: pd.DataFrame, events: pd.DataFrame, column: str = "event") -> np.ndarray:
    """Name the event that each of a table's frames belongs to, object (n,): an empty text where there is none.

    `events` has ``clip``, ``first``, ``last`` (0-based, inclusive), ``event``, and what else a data set says; `column`
    is what is asked for, and one that is not there says nothing of any event. Where two overlap, the one that began
    first.
    """
    names = np.full(len(table), "", dtype=object)
    if column not in events:
        return names
    clips, frames = table["clip"].to_numpy(), table["frame"].to_numpy()
    latest_first = events.sort_values("first", ascending=False)
    for event, name in zip(latest_first.itertuples(), latest_first[column], strict=True):
        names[(clips == event.clip) & (frames >= event.first) & (frames <= event.last)] = name
    return names


def anomalous_stretches(table: pd.DataFrame) -> pd.DataFrame:
    """The unbroken runs of anomalous frames, for data sets that do not name their events.

    From ``clip``, ``frame`` and ``label`` of every frame to ``clip``, ``first``, ``last`` (0-based, inclusive) and
    ``event``, which is always "unnamed".
    """
    rows = []
    for clip, frames in table.sort_values(["clip", "frame"]).groupby("clip"):
        numbers = frames["frame"].to_numpy()
        rows += [(clip, numbers[a], numbers[b - 1], "unnamed") for a, b in runs_of_ones(frames["label"])]
    return pd.DataFrame(rows, columns=["clip", "first", "last", "event"])


def auroc_by_group(
    table: pd.DataFrame, score: str, groups: np.ndarray, *, n_resamples: int = 1000, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """AUROC of each group's anomalous frames against all normal frames, with its interval over clips.

    Parameters
    ----------
    table : DataFrame (n rows)
        ``clip``, ``label`` and the score's column.
    score : str
        The column to judge.
    groups : (n,)
        Group of each frame, such as the kind of its event; an empty text is no group. Those of normal frames are not
        looked at.
    n_resamples, level, seed
        As in `bootstrap_auroc`.

    Returns
    -------
    DataFrame
        Index: group; columns ``n_frames`` and ``n_clips`` (of its anomalous frames), ``estimate``, ``low``, ``high``;
        the best found first. A group from a single clip has no interval over clips: its bounds are NaN.
    """
    anomalous, groups = table["label"].to_numpy() == 1, np.asarray(groups, dtype=object)
    names = sorted({name for name in groups[anomalous] if name})
    if not names:
        raise ParameterError("groups: no anomalous frame has one; give a name for at least one anomalous frame")
    rows = {}
    for name in names:
        of_group = anomalous & (groups == name)
        kept = table[of_group | ~anomalous]
        n_clips = int(table.loc[of_group, "clip"].nunique())
        rows[name] = {"n_frames": int(of_group.sum()), "n_clips": n_clips, "low": np.nan, "high": np.nan}
        rows[name]["estimate"] = auroc(kept["label"], kept[score])
        if n_clips > 1:
            interval = bootstrap_auroc(
                kept["label"], kept[score], clusters=kept["clip"], n_resamples=n_resamples, level=level, seed=seed
            )
            rows[name] |= {"low": interval.low, "high": interval.high}
    return pd.DataFrame.from_dict(rows, orient="index").sort_values("estimate", ascending=False)


def extreme_frames(table: pd.DataFrame, score: str, *, label: int, highest: bool, n: int) -> pd.DataFrame:
    """The `n` frames of one class that a score is surest about, at most one a clip: rows of the table.

    `label` is 0 for normal, 1 for anomalous frames; the highest scores come first, or, unless `highest`, the lowest.
    """
    of_class = table[table["label"] == label].sort_values([score, "clip", "frame"], ascending=[not highest, True, True])
    return of_class.drop_duplicates("clip").head(n)
