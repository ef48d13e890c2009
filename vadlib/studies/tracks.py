"""Tracked people against what is usual: how fast each moves for where it is, learned from normal clips alone.

The speed of a box is how far the middle of its lower edge, where the feet are, has moved since the person's fifth box
before, in heights of the box a frame: perspective cancels. What is usual is the 95 % quantile of the speeds in training
clips of the scene, or, where enough people walked there, of the place in it. A frame scores as its fastest person does,
in multiples of what is usual; one without people scores 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError

QUANTILE = 0.95
LAG_BOXES = 5
LEAST_SPEEDS = 100  # training speeds that a place must have, to be judged by its own


@dataclass(frozen=True)
class UsualSpeeds:
    """What is usual in normal clips, in heights a frame.

    Attributes
    ----------
    by_scene : Series
        Index: scene.
    by_place : Series
        Index: scene, column and row of the place's square; only those with enough speeds. Empty without places.
    square_px : int or None
        Side of a square.
    n_clips : int
        Training clips.
    """

    by_scene: pd.Series
    by_place: pd.Series
    square_px: int | None
    n_clips: int


def track_speeds(tracks: pd.DataFrame, *, lag_boxes: int = LAG_BOXES) -> np.ndarray:
    """Speed of every box in heights of it a frame, float64 (n,); NaN for a person's first boxes.

    `tracks` is in (split, clip, person, frame) order, as `read_tracks` gives it.
    """
    if lag_boxes < 1:
        raise ParameterError(f"lag_boxes: at least 1 is expected, not {lag_boxes!r}.")
    person = tracks.groupby(["split", "clip", "person"], sort=False).ngroup().to_numpy()
    same = np.zeros(len(tracks), bool)
    same[lag_boxes:] = person[lag_boxes:] == person[:-lag_boxes]
    x, y = _feet(tracks)
    frame = tracks["frame"].to_numpy(np.float64)
    moved = [values - np.roll(values, lag_boxes) for values in (x, y, frame)]
    height = (tracks["y1"] - tracks["y0"]).to_numpy(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # between two people, where it is not taken
        return np.where(same, np.hypot(moved[0], moved[1]) / moved[2] / height, np.nan)


def fit_usual_speeds(tracks: pd.DataFrame, *, square_px: int | None = None) -> UsualSpeeds:
    """Learn what is usual from the training clips of `tracks`, by scene, and by place in squares of `square_px`."""
    train = tracks[tracks["split"] == "train"]
    speeds = pd.Series(track_speeds(train), index=train.index)
    moving = speeds.notna()
    if not moving.any():
        raise ParameterError(f"tracks: no training clip has a person in more than {LAG_BOXES} boxes; give some.")
    by_scene = speeds[moving].groupby(train.loc[moving, "scene"]).quantile(QUANTILE)
    still = by_scene.index[by_scene <= 0]
    if len(still):
        raise ParameterError(f"tracks: nobody moves in the training clips of scene {still[0]}, so no speed is usual.")
    by_place = by_scene.iloc[:0]
    if square_px:
        groups = speeds[moving].groupby([train.loc[moving, "scene"], *(s[moving] for s in _squares(train, square_px))])
        by_place = groups.quantile(QUANTILE)[groups.size() >= LEAST_SPEEDS]
        by_place = by_place[by_place > 0]  # where people only ever stood, the scene's is taken
    return UsualSpeeds(by_scene, by_place, square_px, int(train["clip"].nunique()))


def speed_scores(tracks: pd.DataFrame, usual: UsualSpeeds, frames: pd.DataFrame) -> np.ndarray:
    """Score test frames by the fastest person in each.

    Parameters
    ----------
    tracks : DataFrame
        From `vadlib.data.published.tables.read_tracks`; its test clips are scored.
    usual : UsualSpeeds
    frames : DataFrame
        ``clip``, ``scene`` and ``frame`` of every frame of the test clips.

    Returns
    -------
    float64 (n,)
        In multiples of the usual speed; 0 where nobody is seen.

    Raises
    ------
    ParameterError
        A scene of which there is no training clip.
    """
    unknown = sorted(set(frames["scene"]) - set(usual.by_scene.index))
    if unknown:
        raise ParameterError(f"tracks: of scene {unknown[0]} there is no training clip, so no speed is usual there.")
    test = tracks[tracks["split"] == "test"]
    limits = test["scene"].map(usual.by_scene).to_numpy()
    if usual.square_px:
        squares = _squares(test, usual.square_px)
        of_place = usual.by_place.reindex(pd.MultiIndex.from_arrays([test["scene"], *squares])).to_numpy()
        limits = np.where(np.isfinite(of_place), of_place, limits)
    fastest = pd.Series(track_speeds(test) / limits).groupby([test["clip"].to_numpy(), test["frame"].to_numpy()]).max()
    return fastest.reindex(pd.MultiIndex.from_frame(frames[["clip", "frame"]])).fillna(0).to_numpy()


def _feet(tracks: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return ((tracks["x0"] + tracks["x1"]) / 2).to_numpy(np.float64), tracks["y1"].to_numpy(np.float64)


def _squares(tracks: pd.DataFrame, square_px: int) -> tuple[pd.Series, pd.Series]:
    """Column and row of the square in which a person stands."""
    return tuple(pd.Series((at // square_px).astype(np.int64), index=tracks.index) for at in _feet(tracks))
