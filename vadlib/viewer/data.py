"""What the clip viewer's page is given: clips, scores and alarms, checked, and put into JSON."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import matplotlib as mpl
import numpy as np
import pandas as pd

from vadlib.detectors import catalogue
from vadlib.errors import ParameterError
from vadlib.figures.style import HEAT
from vadlib.frame_times import seconds

UNASKED_SHARE = 0.05  # of frames that reach a threshold that nobody gave


@dataclass(frozen=True, eq=False)
class ViewerClip:
    """One clip as the viewer shows it.

    Attributes
    ----------
    id : str
        As in the table of scores; any text.
    scene : str
    fps : float
        Frames per second, or an `UnevenRate`.
    frames : int (n,)
        The clip's scored frames, ascending, all of them.
    images : iterable of uint8 (H, W, 3)
        Their pictures, RGB, in that order, of one size; taken one at a time, once.
    heat : mapping of str to uint8 (n, h, w)
        By detector: coarse heatmaps over the whole picture, 0 to 255 (see `heat_levels`). Detectors without any are
        left out.
    """

    id: str
    scene: str
    fps: float
    frames: np.ndarray
    images: Iterable[np.ndarray]
    heat: Mapping[str, np.ndarray] = field(default_factory=dict)


def heat_levels(heatmaps: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Heatmaps as the viewer wants them.

    Parameters
    ----------
    heatmaps : float (n, h, w)
        Coarse, some 16 by 28 cells: the page smooths them.
    limits : (float, float)
        Score at level 0 and at level 255; beyond, levels stay there.

    Returns
    -------
    uint8 (n, h, w)

    Raises
    ------
    ParameterError
        The limits are not ascending, or a value is NaN.
    """
    low, high = limits
    if not (np.isfinite([low, high]).all() and low < high):
        raise ParameterError(f"limits: expected two finite numbers, the lower first, found {limits}")
    heatmaps = np.asarray(heatmaps)
    if np.isnan(heatmaps).any():
        raise ParameterError(f"heatmaps: {np.isnan(heatmaps).sum()} values are NaN; leave such frames out")
    return np.clip((heatmaps - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)


def tables_of_clips(scores: pd.DataFrame, clips: Sequence[ViewerClip], detectors: Sequence[str]) -> list[pd.DataFrame]:
    """Each clip's rows of the scores, by frame, with `label` as float (NaN: unknown); what does not fit is an error."""
    if not clips:
        raise ParameterError("clips: there is none to show")
    if not detectors or len(set(detectors)) < len(detectors):
        raise ParameterError(f"detectors: expected one name or more, each once, found {list(detectors)}")
    missing = [name for name in ("clip", "frame", *detectors) if name not in scores.columns]
    if missing:
        raise ParameterError(f"scores: no column {missing[0]!r}; found {', '.join(map(str, scores.columns))}")
    table = scores[["clip", "frame", *detectors]].copy()
    table["label"] = _labels(scores)
    for name in detectors:
        table[name] = table[name].astype(np.float32)
        wrong = table[~np.isfinite(table[name])]
        if len(wrong):
            first = wrong.iloc[0]
            raise ParameterError(
                f"scores: {name} is not finite for {len(wrong)} frames, first clip {first['clip']} frame "
                f"{first['frame']}; leave frames without a score out"
            )
    by_clip = {str(name): rows for name, rows in table.sort_values("frame").groupby("clip", sort=False, observed=True)}
    ids = [clip.id for clip in clips]
    repeated = sorted({name for name in ids if ids.count(name) > 1})
    if repeated:
        raise ParameterError(f"clips: {repeated[0]!r} is there twice")
    without = sorted(set(by_clip) - set(ids))
    if without:
        raise ParameterError(
            f"clips: {without[0]!r} has scores but is not among the clips ({len(without)} such); leave out its scores "
            "or show it"
        )
    return [_checked_table(clip, by_clip.get(clip.id)) for clip in clips]


def describe_detectors(
    tables: Sequence[pd.DataFrame],
    detectors: Sequence[str],
    *,
    thresholds: Mapping[str, float] | None,
    rule: str,
    limits: Mapping[str, tuple[float, float]] | None,
    colours: Mapping[str, str],
    heats: Sequence[Mapping[int, np.ndarray]],
) -> list[dict]:
    """Each detector's colour, threshold, mean and deviation over all frames, and the ends of its colour bar."""
    thresholds, limits = dict(thresholds or {}), dict(limits or {})
    for name, given in (("thresholds", thresholds), ("heat_limits", limits)):
        unknown = sorted(set(given) - set(detectors))
        if unknown:
            raise ParameterError(f"{name}: {unknown[0]!r} is none of the detectors {', '.join(detectors)}")
        for detector, value in given.items():
            if not np.isfinite(value).all() or (name == "heat_limits" and not value[0] < value[1]):
                raise ParameterError(f"{name}: {detector} has {value}; expected finite numbers, the lower first")
    named = {name: colours[name] for name in detectors if name in colours}
    free = [colour for colour in catalogue.colours().values() if colour not in named.values()] or ["#666666"]
    described = []
    for number, name in enumerate(detectors):
        values = np.concatenate([table[name] for table in tables]).astype(np.float64)
        colour = named.get(name) or free[number % len(free)]
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
            raise ParameterError(f"colours: {name} has {colour!r}; expected one like '#0072B2'")
        has_heat = any(number in heat for heat in heats)
        described.append({
            "name": name,
            "colour": colour,
            "threshold": float(thresholds.get(name, np.quantile(values, 1 - UNASKED_SHARE))),
            "source": rule if name in thresholds else f"which {100 * UNASKED_SHARE:g} % of the frames here reach",
            "low": float(values.min()),
            "high": float(values.max()),
            "mean": float(values.mean()),
            "deviation": float(values.std()) or 1.0,
            "heat": [float(end) for end in limits.get(name, (0, 255))] if has_heat else None,
            "unit": "score of a place" if name in limits else "level",
        })  # fmt: skip
    return described


def heat_of(clip: ViewerClip, detectors: Sequence[str]) -> dict[int, np.ndarray]:
    """A clip's heatmaps by the number of their detector."""
    found = {}
    for name, values in clip.heat.items():
        if name not in detectors:
            raise ParameterError(f"clip {clip.id}: heat of {name!r}, which is none of {', '.join(detectors)}")
        values = np.asarray(values)
        if values.dtype != np.uint8 or values.ndim != 3 or 0 in values.shape:
            raise ParameterError(
                f"clip {clip.id}: heat of {name} must be uint8 (n, h, w), found {values.dtype} {values.shape}; "
                "heat_levels makes it so"
            )
        if len(values) != len(clip.frames):
            raise ParameterError(
                f"clip {clip.id}: {len(values)} heatmaps of {name} for {len(clip.frames)} frames; expected one each"
            )
        found[list(detectors).index(name)] = values
    return found


def alarms_of_clips(
    alarms: pd.DataFrame | None, tables: Sequence[pd.DataFrame], clips: Sequence[ViewerClip], detectors: Sequence[str]
) -> list[list[list[list[int]]] | None]:
    """By clip and detector, each alarm's first and last row in the clip's table; None where none were given."""
    if alarms is None:
        return [None] * len(clips)
    missing = [name for name in ("clip", "detector", "first", "last") if name not in alarms.columns]
    if missing:
        raise ParameterError(f"alarms: no column {missing[0]!r}; found {', '.join(map(str, alarms.columns))}")
    numbers = {clip.id: number for number, clip in enumerate(clips)}
    found: list[list[list[list[int]]]] = [[[] for _ in detectors] for _ in clips]
    for alarm in alarms.sort_values("first").itertuples():
        if alarm.clip not in numbers or alarm.detector not in detectors:
            raise ParameterError(f"alarms: clip {alarm.clip!r}, detector {alarm.detector!r} is not shown here")
        frames = tables[numbers[alarm.clip]]["frame"].to_numpy()
        first, end = np.searchsorted(frames, [alarm.first, alarm.last + 1]).tolist()
        if first >= end:
            raise ParameterError(
                f"alarms: that of {alarm.detector} in clip {alarm.clip}, frames {alarm.first} to {alarm.last}, holds "
                "no scored frame"
            )
        found[numbers[alarm.clip]][list(detectors).index(alarm.detector)].append([first, end - 1])
    return found


def describe_clip(
    clip: ViewerClip, table: pd.DataFrame, detectors: Sequence[str], heat: Mapping[int, np.ndarray], alarms: list | None
) -> dict:
    """A clip as the page reads it, but for its media."""
    return {
        "id": clip.id,
        "scene": str(clip.scene),
        "fps": float(clip.fps),
        "frames": as_text(table["frame"].to_numpy("<i4")),
        "seconds": as_text(seconds(clip.fps, table["frame"].to_numpy()).astype("<f8")),
        "labels": None if table["label"].isna().any() else as_text(table["label"].to_numpy(np.uint8)),
        "scores": [as_text(table[name].to_numpy("<f4")) for name in detectors],
        "alarms": alarms,
        "grids": [list(heat[number].shape[1:]) if number in heat else None for number in range(len(detectors))],
    }


def as_text(values: np.ndarray) -> str:
    """The bytes of an array in base64: exact, and a third of the size of decimals."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def colour_map() -> str:
    """The house's colour map for heat, 256 RGB triples in base64."""
    return as_text((mpl.colormaps[HEAT](np.arange(256))[:, :3] * 255).round().astype(np.uint8))


def _labels(scores: pd.DataFrame) -> np.ndarray:
    if "label" not in scores.columns:
        return np.full(len(scores), np.nan)
    labels = pd.to_numeric(scores["label"]).to_numpy(float, na_value=np.nan)
    labels = np.where(labels == -1, np.nan, labels)
    wrong = labels[~(np.isnan(labels) | np.isin(labels, (0, 1)))]
    if len(wrong):
        raise ParameterError(f"scores: labels are 0, 1 or missing, found {np.unique(wrong)[:5].tolist()}")
    return labels


def _checked_table(clip: ViewerClip, table: pd.DataFrame | None) -> pd.DataFrame:
    frames = np.asarray(clip.frames)
    if table is None or not len(frames):
        raise ParameterError(f"clip {clip.id}: it has no scored frame; leave it out")
    if not (np.isfinite(clip.fps) and clip.fps > 0):
        raise ParameterError(f"clip {clip.id}: fps must be above 0, found {clip.fps}")
    if len(frames) != len(table) or not np.array_equal(frames, table["frame"].to_numpy()):
        differing = np.setxor1d(frames, table["frame"])
        raise ParameterError(
            f"clip {clip.id}: {len(frames)} frames to show but {len(table)} in the scores; expected the same, each "
            "once, ascending" + (f"; they differ in frame {differing[0]}" if len(differing) else "")
        )
    unknown = table["label"].isna()
    if unknown.any() and not unknown.all():
        raise ParameterError(
            f"clip {clip.id}: {unknown.sum()} of {len(table)} labels are missing; expected all of a clip's, or none"
        )
    return table.reset_index(drop=True)
