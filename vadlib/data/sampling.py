"""Draws of frames to fit and to test on, by protocol and seed.

The protocols differ in where the frames come from that a detector is fitted on; all of them test on frames of
the test clips:

================  =======================================================================================
official-split    normal frames of the training clips, spread evenly over the scenes (one-class detectors)
same-clips        other frames of the same test clips
reused-frames     some of the test frames themselves
disjoint-clips    frames of other test clips: cross-fitted over folds of clips, stratified by scene
disjoint-scenes   frames of other scenes' test clips: cross-fitted over folds of scenes
================  =======================================================================================

Under one seed and the same test counts every protocol tests on the *same* frames, so results can be compared
frame by frame, and a larger draw contains the smaller ones. (Only ``same-clips`` with a test count of None
differs: there it leaves out the fit frames.)

Frames without a label (-1, of the data set `folder`) are neither normal nor abnormal. They are drawn only where
`test_unlabelled` asks for them, and never to fit on.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd

from vadlib.data.dataset import UNLABELLED
from vadlib.errors import ParameterError

PROTOCOLS = ("official-split", "same-clips", "reused-frames", "disjoint-clips", "disjoint-scenes")
CLASSES = ("normal", "abnormal")  # their labels are 0 and 1


@dataclass(frozen=True)
class Fold:
    """Frames to fit on and frames to test on: rows of the table drawn from, its index kept, in (clip, frame) order."""

    fit: pd.DataFrame
    test: pd.DataFrame


@dataclass(frozen=True)
class Split:
    """What `draw` drew: one fold, or several where the protocol is cross-fitted."""

    protocol: str
    seed: int
    folds: tuple[Fold, ...]

    @property
    def fit(self) -> pd.DataFrame:
        """The frames to fit on, of a split with one fold."""
        return self._only_fold("fit").fit

    @property
    def test(self) -> pd.DataFrame:
        """The frames to test on, of a split with one fold."""
        return self._only_fold("test").test

    def _only_fold(self, name: str) -> Fold:
        if len(self.folds) != 1:
            raise ParameterError(
                f"split.{name}: protocol {self.protocol!r} has {len(self.folds)} folds, each fitted and tested "
                "on its own. Loop over them: for fold in split.folds: ... fold.fit ... fold.test."
            )
        return self.folds[0]


def draw(
    table: pd.DataFrame,
    protocol: str = "same-clips",
    fit_normal: int | None = 2000,
    fit_abnormal: int | None = 2000,
    test_normal: int | None = 4000,
    test_abnormal: int | None = 4000,
    seed: int = 0,
    *,
    n_folds: int = 5,
    test_unlabelled: int | None = 0,
) -> Split:
    """Draw frames to fit and to test on.

    Parameters
    ----------
    table : DataFrame
        `dataset.frame_table()`, or rows of it; their order does not matter.
    protocol : str
        One of `PROTOCOLS` (see the module).
    fit_normal, fit_abnormal : int or None
        Frames to fit on, in each fold. None takes all there are (under ``same-clips``: all that the test frames
        leave).
    test_normal, test_abnormal : int or None
        Frames to test on, over all folds together. None takes all there are.
    seed : int
    n_folds : int
        Of the cross-fitted protocols. A fold that none of the test frames falls into is left out.
    test_unlabelled : int or None
        Frames without a label to score, in addition. None takes all there are. They change no other draw.

    Returns
    -------
    Split

    Raises
    ------
    ParameterError
        An unknown protocol, or more frames (or folds) asked for than there are: names the parameter and both numbers.
    """
    asked = {"fit_normal": fit_normal, "fit_abnormal": fit_abnormal}
    asked |= {"test_normal": test_normal, "test_abnormal": test_abnormal, "test_unlabelled": test_unlabelled}
    _check(table, protocol, asked, seed)
    table = table.sort_values(["clip", "frame"], kind="stable")
    tested, official = table[table["split"] == "test"], table[table["split"] == "train"]
    # A stream of random numbers for each purpose: asking for more of one thing changes nothing else.
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(5)]
    shuffled = [stream.permutation(_positions(tested, label)) for label, stream in enumerate(streams[:2])]
    unlabelled = _counted(streams[4].permutation(_positions(tested, UNLABELLED)), "test_unlabelled", asked)
    if protocol.startswith("disjoint"):
        groups = _assign_folds(tested, protocol, n_folds, streams[2])  # (n_tested,): the fold of each frame
        return Split(protocol, seed, tuple(_cross_fit(tested, shuffled, unlabelled, groups, asked, streams[3])))
    if protocol == "same-clips":
        parts = [_apart(pool, name, asked) for pool, name in zip(shuffled, CLASSES, strict=True)]
        fit, test = zip(*parts, strict=True)
    else:
        test = [_counted(pool, f"test_{name}", asked) for pool, name in zip(shuffled, CLASSES, strict=True)]
    if protocol == "reused-frames":
        fit = [_counted(tests, f"fit_{name}", asked, "test frames") for tests, name in zip(test, CLASSES, strict=True)]
    elif protocol == "official-split":
        fit = [_spread(official, asked, streams[2]), _none_of_the_abnormal(asked)]
    fit_table = official if protocol == "official-split" else tested
    return Split(protocol, seed, (Fold(_rows(fit_table, fit), _rows(tested, [*test, unlabelled])),))


def _check(table: pd.DataFrame, protocol: str, asked: dict, seed: int) -> None:
    if protocol not in PROTOCOLS:
        raise ParameterError(f"protocol: one of {', '.join(PROTOCOLS)} is expected, not {protocol!r}.")
    for name, count in (asked | {"seed": seed}).items():
        if (count is None and name != "seed") or (isinstance(count, Integral) and count >= 0):
            continue
        none = "" if name == "seed" else " (or None for all)"
        raise ParameterError(f"{name}: a whole number of at least 0{none} is expected, not {count!r}.")
    lacking = {"clip", "split", "scene", "frame", "label"} - set(table.columns)
    if lacking:
        raise ParameterError(f"table: column {min(lacking)!r} is missing; pass rows of dataset.frame_table().")
    if asked["test_normal"] == 0 == asked["test_abnormal"] and asked["test_unlabelled"] == 0:
        raise ParameterError("test_normal, test_abnormal: both are 0, so there is nothing to test on. Ask for some.")
    tested = table["split"] == "test"
    if not tested.any():
        raise ParameterError("table: no frames of test clips in it, so there is nothing to test on.")
    if asked["test_unlabelled"] == 0 and (table.loc[tested, "label"] == UNLABELLED).all():
        raise ParameterError(
            "test_normal, test_abnormal: no frame of the test clips has a label, so none can be drawn by class. To "
            "score them without labels, pass test_normal=0, test_abnormal=0, test_unlabelled=None; to evaluate, add "
            "labels (labels.csv of a folder)."
        )


def _positions(table: pd.DataFrame, label: int) -> np.ndarray:
    return np.flatnonzero(table["label"].to_numpy() == label)


def _rows(table: pd.DataFrame, chosen: list[np.ndarray]) -> pd.DataFrame:
    return table.iloc[np.sort(np.concatenate(chosen))]


def _counted(pool: np.ndarray, parameter: str, asked: dict, where: str = "frames of the test clips") -> np.ndarray:
    """Take the first of a shuffled pool, as many as its parameter says."""
    count = len(pool) if asked[parameter] is None else asked[parameter]
    if count > len(pool):
        kind = {"normal": "normal", "abnormal": "anomalous", "unlabelled": "unlabelled"}[parameter.split("_")[1]]
        raise ParameterError(
            f"{parameter}: {count:,} frames asked for, {len(pool):,} available ({kind} {where}). "
            "Ask for fewer, or None for all."
        )
    return pool[:count]


def _apart(pool: np.ndarray, name: str, asked: dict) -> tuple[np.ndarray, np.ndarray]:
    """Take fit frames from the end of a shuffled pool and test frames from its start, so that none is both."""
    n_fit, n_test = asked[f"fit_{name}"], asked[f"test_{name}"]
    if n_fit is None and n_test is None:
        raise ParameterError(
            f"fit_{name}, test_{name}: both are None, but under 'same-clips' no frame can be both. Give one a number."
        )
    if n_test is None:
        fit = _counted(pool[::-1], f"fit_{name}", asked)
        return fit, pool[: len(pool) - len(fit)]
    test = _counted(pool, f"test_{name}", asked)
    where = f"frames of the test clips, besides the {len(test):,} of test_{name}"
    return _counted(pool[len(test) :][::-1], f"fit_{name}", asked, where), test


def _none_of_the_abnormal(asked: dict) -> np.ndarray:
    if asked["fit_abnormal"]:
        raise ParameterError(
            f"fit_abnormal: {asked['fit_abnormal']:,} frames asked for, but under 'official-split' detectors are "
            "fitted on the training clips, which are all normal. Pass fit_abnormal=0, or another protocol."
        )
    return np.empty(0, np.int64)


def _spread(official: pd.DataFrame, asked: dict, rng: np.random.Generator) -> np.ndarray:
    """Draw normal training frames: as many from each scene, or all of a scene that has fewer."""
    scenes = official["scene"].to_numpy()
    normal = _positions(official, 0)
    pools = [rng.permutation(normal[scenes[normal] == scene]) for scene in np.unique(scenes[normal])]
    _counted(normal, "fit_normal", asked, "frames of the training clips")  # or the error
    count = len(normal) if asked["fit_normal"] is None else asked["fit_normal"]
    shares = fill_evenly(np.array([len(pool) for pool in pools], np.int64), count, rng)
    return np.concatenate([normal[:0], *(pool[:share] for pool, share in zip(pools, shares, strict=True))])


def fill_evenly(capacities: np.ndarray, total: int, rng: np.random.Generator) -> np.ndarray:
    """Share a total out as evenly as capacities allow, as water fills vessels that are joined."""
    preferred = rng.permutation(len(capacities))
    low, high = 0, int(capacities.max(initial=0))
    while low < high:  # the highest level that the total reaches
        level = (low + high + 1) // 2
        low, high = (level, high) if np.minimum(capacities, level).sum() <= total else (low, level - 1)
    shares = np.minimum(capacities, low)
    not_full = [i for i in preferred if capacities[i] > low]
    shares[not_full[: total - shares.sum()]] += 1
    return shares


def _assign_folds(tested: pd.DataFrame, protocol: str, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Give every clip (or scene) a fold; returns the fold of each frame, int (n_tested,)."""
    unit = "clip" if protocol == "disjoint-clips" else "scene"
    n_units = tested[unit].nunique()
    if not 2 <= n_folds <= n_units:
        advice = f"Ask for 2 to {n_units}." if n_units > 1 else "Choose another protocol."
        raise ParameterError(
            f"n_folds: {n_folds} asked for under {protocol!r}; the test frames are of {n_units} {unit}(s). {advice}"
        )
    units = tested.groupby(unit).agg(scene=("scene", "first"), n_frames=("frame", "size"))
    units = units.iloc[rng.permutation(n_units)]
    if unit == "clip":  # dealt like cards, scene after scene: no fold has two more than another, of a scene or in all
        dealt = units.sort_values("scene", kind="stable").index
        fold_of = dict(zip(dealt, np.arange(n_units) % n_folds, strict=True))
    else:  # scenes differ much in length: the longest first, each to the fold that has least
        fold_of, n_frames = {}, np.zeros(n_folds, np.int64)
        for scene, length in units["n_frames"].sort_values(ascending=False, kind="stable").items():
            fold_of[scene] = int(n_frames.argmin())
            n_frames[fold_of[scene]] += length
    return tested[unit].map(fold_of).to_numpy(np.int64)


def _cross_fit(
    tested: pd.DataFrame,
    shuffled: list[np.ndarray],
    unlabelled: np.ndarray,
    groups: np.ndarray,
    asked: dict,
    rng: np.random.Generator,
) -> list[Fold]:
    test = [_counted(pool, f"test_{name}", asked) for pool, name in zip(shuffled, CLASSES, strict=True)]
    folds = []
    for fold in range(groups.max() + 1):
        where = f"frames of the test clips outside fold {fold + 1}"
        fit = [
            _counted(rng.permutation(pool[groups[pool] != fold]), f"fit_{name}", asked, where)
            for pool, name in zip(shuffled, CLASSES, strict=True)
        ]
        tested_here = [chosen[groups[chosen] == fold] for chosen in (*test, unlabelled)]
        if sum(map(len, tested_here)):
            folds.append(Fold(_rows(tested, fit), _rows(tested, tested_here)))
    return folds
