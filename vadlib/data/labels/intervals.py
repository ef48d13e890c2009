"""`labels.csv`: frame labels of one's own videos, as intervals.

::

    clip,first,last,event
    gate.mp4,120,184,bicycle        frames 120 to 184 of gate.mp4 are anomalous: numbered from 0, ends included
    gate.mp4,300,311,running        several intervals of one clip are several rows; they may overlap
    yard.mp4,,                      someone looked at yard.mp4, and nothing happens in it

A clip that the file does not name is unlabelled: a file that was never finished must not turn into "nothing
happens". The column ``event`` may be left out. Commas, semicolons or tabs separate, as spreadsheets please.
"""

from __future__ import annotations

import csv
import difflib
import io
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from vadlib.data.dataset import EVENT_COLUMNS, SEEN_IN, UNLABELLED, Clip
from vadlib.data.reading.files import read_label_text
from vadlib.errors import LabelError

REQUIRED = EVENT_COLUMNS[:3]
UNNAMED_EVENT = "anomaly"
FORM = "clip,first,last with frames numbered from 0, ends included"


class Interval(NamedTuple):
    """One row: `first` and `last` are None where the row says that nothing happens in the clip."""

    line: int
    clip: str
    first: int | None
    last: int | None
    event: str
    seen_in: str | None = None  # None where the file has no such column


def read_intervals(path: Path) -> list[Interval]:
    """Read the rows of `labels.csv`."""
    text = read_label_text(path, "utf-8-sig")
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise LabelError(f"{path}, line {reader.line_num}: {error}. Rows like {FORM} are expected.") from error
    rows = [(line, row) for line, row in rows if any(row)]
    columns = [name.lower() for name in rows[0][1]] if rows else []
    lacking = [name for name in REQUIRED if columns.count(name) != 1]
    if lacking:
        found = _short(", ".join(columns[:8])) if columns else "nothing"
        raise LabelError(f"{path}: columns {', '.join(REQUIRED)} are expected in its first line, found {found}.")
    return [_interval(path, line, dict(zip(columns, row, strict=False)), len(row)) for line, row in rows[1:]]


def _interval(path: Path, line: int, row: dict[str, str], n_cells: int) -> Interval:
    cells = [row.get(name, "") for name in REQUIRED]
    event = row.get("event", "") or UNNAMED_EVENT
    seen_in = row.get("seen_in")
    if cells[0] and cells[1:] == ["", ""] and n_cells >= len(REQUIRED):
        return Interval(line, cells[0], None, None, event)
    digits = all(cell.isascii() and cell.isdigit() and len(cell) < 10 for cell in cells[1:])
    if not cells[0] or not digits or int(cells[1]) > int(cells[2]):
        raise LabelError(
            f"{path}, line {line}: {_short(','.join(cells))} is no interval; {FORM} is expected, or clip,, for a clip "
            "in which nothing happens."
        )
    if (seen_in or "") not in SEEN_IN:
        raise LabelError(f"{path}, line {line}: seen_in is appearance, motion or empty, not {_short(seen_in)}.")
    return Interval(line, cells[0], int(cells[1]), int(cells[2]), event, seen_in)


def label_clips(
    path: Path,
    intervals: Sequence[Interval],
    clips: Sequence[Clip],
    names: Mapping[str, Sequence[str]],
    left_out: Collection[str] = (),
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Turn intervals into labels of frames by clip id, and a table of events.

    `names` are what the file may call each clip, by its id; what it says of `left_out` names is passed over. Training
    clips are normal throughout, test clips that no interval names `UNLABELLED`. `path` is for messages.
    """
    labels = {clip.id: np.full(clip.n_frames, UNLABELLED if clip.split == "test" else 0, np.int8) for clip in clips}
    called: dict[str, list[Clip]] = {}
    for clip in clips:
        for name in {_normalised(name) for name in (clip.id, *names[clip.id])}:
            called.setdefault(name, []).append(clip)
    events, left_out = [], {_normalised(name) for name in left_out}
    for interval in intervals:
        if _normalised(interval.clip) in left_out - called.keys():
            continue
        clip = _only_clip(path, interval, called)
        if interval.first is None:
            labels[clip.id] = np.maximum(labels[clip.id], 0)
            continue
        where = f"{path}, line {interval.line}: frames {interval.first} to {interval.last} of {clip.id}"
        if clip.split != "test":
            raise LabelError(f"{where}, which lies in normal/. Move it out of there, or take the line out.")
        if interval.last >= clip.n_frames:
            raise LabelError(f"{where}, which has frames 0 to {clip.n_frames - 1}. Nothing is cut to fit.")
        labels[clip.id] = np.maximum(labels[clip.id], 0)
        labels[clip.id][interval.first : interval.last + 1] = 1
        events.append(interval._replace(clip=clip.id))
    return labels, event_table(events)


def event_table(intervals: Sequence[Interval]) -> pd.DataFrame:
    """Intervals as `VideoDataset.events`."""
    table = pd.DataFrame(intervals, columns=Interval._fields).drop(columns="line")
    table = table.astype({"clip": str, "first": np.int64, "last": np.int64, "event": str})
    is_said = table["seen_in"].notna().any()
    return table.fillna({"seen_in": ""}) if is_said else table[list(EVENT_COLUMNS)]


def _normalised(name: str) -> str:
    """One spelling of a name: file systems and editors compose accented letters differently."""
    return unicodedata.normalize("NFC", name).replace("\\", "/").removeprefix("./")


def _only_clip(path: Path, interval: Interval, called: Mapping[str, Sequence[Clip]]) -> Clip:
    clips = called.get(_normalised(interval.clip), [])
    if len(clips) == 1:
        return clips[0]
    if clips:
        several = ", ".join(clip.id for clip in clips[:5])
        raise LabelError(
            f"{path}, line {interval.line}: {_short(interval.clip)} may be any of {several}; write one of those."
        )
    near = difflib.get_close_matches(_normalised(interval.clip)[:200], called, n=1, cutoff=0.4)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise LabelError(f"{path}, line {interval.line}: no clip is called {_short(interval.clip)}.{hint}")


def _short(text: str) -> str:
    """Quote a cell for a message, however long it is."""
    return repr(text if len(text) <= 100 else f"{text[:100]}…")
