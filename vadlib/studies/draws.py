"""Draws: by every protocol, brought down to what there is; and what a profile would draw, without reading a frame."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from vadlib.data import PROTOCOLS, Split, VideoDataset, draw, open_dataset
from vadlib.detectors import LearnsFrom, catalogue
from vadlib.errors import ParameterError

CLASSES = {"normal": ("normal", 0), "abnormal": ("anomalous", 1)}  # in parameters: in words, label


@dataclass(frozen=True)
class ProtocolDraws:
    """One draw a protocol."""

    splits: dict[str, Split]  # by protocol; only those that this data set allows
    changes: tuple[str, ...]  # each count that had to be brought down, in words
    left_out: dict[str, str]  # protocols that cannot be drawn here, and why

    @property
    def tested(self) -> pd.DataFrame:
        """Frames that every protocol tests on, in (clip, frame) order."""
        tables = [pd.concat([fold.test for fold in split.folds]) for split in self.splits.values()]
        common = tables[0][np.logical_and.reduce([tables[0].index.isin(table.index) for table in tables])]
        return common.sort_values(["clip", "frame"], kind="stable")

    @property
    def changed(self) -> dict:
        """What had to be changed and what was left out, for `metrics.json`."""
        return {"changes": list(self.changes), "left_out": self.left_out}


def draw_protocols(
    table: pd.DataFrame,
    protocols: Iterable[str] = PROTOCOLS,
    *,
    fit_official: int,
    fit_each: int,
    test_normal: int | None,
    test_abnormal: int | None,
    seed: int = 0,
    n_folds: int = 5,
) -> ProtocolDraws:
    """Draw by every protocol, with the same counts where there are as many frames, and fewer where there are not.

    Parameters
    ----------
    table : DataFrame
        `dataset.frame_table()`.
    protocols : iterable of str
        Of `vadlib.data.PROTOCOLS`.
    fit_official : int
        Normal frames to fit on under ``official-split``.
    fit_each : int
        Frames of each class to fit on, in each fold, under the others.
    test_normal, test_abnormal : int or None
        As in `vadlib.data.draw`. Where ``same-clips`` would be left no frame to fit on, it fits on half of them.
    seed, n_folds : int
        As in `vadlib.data.draw`; with fewer clips or scenes than folds, as many folds as there are.

    Returns
    -------
    ProtocolDraws

    Raises
    ------
    ParameterError
        No protocol, or none that can be drawn; else as `vadlib.data.draw`.
    """
    splits, changes, left_out = {}, [], {}
    tested = {"test_normal": test_normal, "test_abnormal": test_abnormal}
    for protocol in protocols:
        fit = dict.fromkeys(("fit_normal", "fit_abnormal"), fit_each)
        if protocol == "official-split":
            fit = {"fit_normal": fit_official, "fit_abnormal": 0}
        why = _why_not(table, protocol)
        if why:
            left_out[protocol] = why
            continue
        possible, folds = _bring_down(table, protocol, fit | tested, seed, n_folds)
        splits[protocol] = draw(table, protocol, **possible, seed=seed, n_folds=folds)
        changes += [f"{protocol}, {words}" for words in _changes(fit | tested, possible, n_folds, folds)]
    if not splits:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items()) or "none was named"
        raise ParameterError(f"protocols: none can be drawn here ({reasons}). Name one of {', '.join(PROTOCOLS)}.")
    return ProtocolDraws(splits, tuple(changes), left_out)


def typical_clip(tested: pd.DataFrame, table: pd.DataFrame) -> str:
    """The clip to show: with frames of both classes tested, and a length nearest the median of such clips.

    Parameters
    ----------
    tested : DataFrame
        ``clip`` and ``label`` of test frames.
    table : DataFrame
        ``clip``, a row for every frame.

    Returns
    -------
    str
        The first by name of several as near; of clips with one class where none has both.
    """
    both = tested.groupby("clip")["label"].nunique()
    lengths = table["clip"].value_counts().loc[both.index[both == both.max()]].sort_index()
    return str((lengths - lengths.median()).abs().idxmin())


def frames_of_clip(split: Split, clip: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the detector that is tested on a clip was fitted on and is tested on there.

    Parameters
    ----------
    split : Split
    clip : str

    Returns
    -------
    fit, test : DataFrame
        Rows of that clip, of the fold that tests most of its frames.
    """
    fold = max(split.folds, key=lambda fold: int((fold.test["clip"] == clip).sum()))
    return fold.fit[fold.fit["clip"] == clip], fold.test[fold.test["clip"] == clip]


def _why_not(table: pd.DataFrame, protocol: str) -> str:
    """Why a protocol cannot be drawn from this table; empty where it can."""
    if protocol == "official-split" and not (table["split"] == "train").any():
        return "there are no training clips here"
    unit = {"disjoint-clips": "clip", "disjoint-scenes": "scene"}.get(protocol)
    if unit and table.loc[table["split"] == "test", unit].nunique() < 2:
        return f"all test frames are of one {unit}"
    return ""


def _bring_down(table: pd.DataFrame, protocol: str, asked: dict, seed: int, n_folds: int) -> tuple[dict, int]:
    """The counts and folds that can be had."""
    possible, tested = dict(asked), table[table["split"] == "test"]
    if protocol.startswith("disjoint"):
        unit = "clip" if protocol == "disjoint-clips" else "scene"
        n_folds = min(n_folds, tested[unit].nunique())
    for name, (_, label) in CLASSES.items():
        there = int((tested["label"] == label).sum())
        n_test, n_fit = asked[f"test_{name}"], asked[f"fit_{name}"]
        takes_all = n_test is None or n_test >= there
        possible[f"test_{name}"] = None if takes_all else n_test
        if protocol == "same-clips":
            limit = there // 2 if takes_all else there - n_test
        elif protocol == "reused-frames":
            limit = there if takes_all else n_test
        elif protocol == "official-split":
            limit = int(((table["split"] == "train") & (table["label"] == label)).sum())
        else:  # the fold with the fewest frames outside it
            folds = draw(table, protocol, 0, 0, None, None, seed, n_folds=n_folds).folds
            limit = there - max(int((fold.test["label"] == label).sum()) for fold in folds)
        possible[f"fit_{name}"] = min(n_fit, limit)
    return possible, n_folds


def _changes(asked: dict, possible: dict, n_folds: int, folds: int) -> list[str]:
    words = []
    for name, (adjective, _) in CLASSES.items():
        fit, fewer, test = asked[f"fit_{name}"], possible[f"fit_{name}"], asked[f"test_{name}"]
        if fewer != fit:
            words.append(f"{fewer:,} {adjective} fit frames instead of {fit:,}")
        if test is not None and possible[f"test_{name}"] is None:
            words.append(f"all {adjective} test frames, which are no more than the {test:,} asked for")
    return words + ([f"{folds} folds instead of {n_folds}"] if folds != n_folds else [])


def plan_draws(
    profile: Mapping, root: str | Path, *, skip_unreadable: bool = False, allow_missing: bool = False
) -> tuple[VideoDataset, pd.DataFrame]:
    """Draw for each detector as its chapter would, and count; no frame is read, and videos may be missing.

    The profile has its sections; a detector's chapter is the one that is named as its module. Counts have a row a
    detector: ``protocol``; ``fit normal`` and ``fit anomalous`` (in each fold), ``test normal`` and ``test anomalous``
    (in all folds together), and ``problem``, empty where the draw succeeds. Test frames that cannot be drawn are a
    ParameterError.
    """
    lacking = [name for name in ("n_test_normal", "n_test_abnormal", "n_fit_frames") if name not in profile]
    if lacking:
        raise ParameterError(
            f"profile: {profile.get('profile')} says nothing of {', '.join(lacking)}; its chapters draw no frames by "
            "class, so there is nothing to plan"
        )
    skip_unreadable = skip_unreadable or profile.get("skip_unreadable", False)
    dataset = open_dataset(profile["dataset"], root, allow_missing=True, skip_unreadable=skip_unreadable)
    if allow_missing or profile.get("allow_missing", False):
        dataset = dataset.with_pictures()
    table, rows = dataset.frame_table(), {}
    for entry in catalogue.entries(learns_from=set(LearnsFrom) - {LearnsFrom.NOTHING}, variants=False):
        given = dict(profile)
        for chapter, section in (profile.get("chapters") or {}).items():
            if chapter.endswith("_" + entry.cls.__module__.rpartition(".")[2]):
                given |= section
        protocol, fit = "official-split", {"fit_normal": given["n_fit_frames"], "fit_abnormal": 0}
        if entry.learns_from != LearnsFrom.NORMAL:
            protocol = given.get("protocol", "disjoint-clips")
            fit = dict.fromkeys(fit, given.get("n_fit_labelled", given["n_fit_frames"]))
        tested = {"test_normal": given["n_test_normal"], "test_abnormal": given["n_test_abnormal"]}
        rows[entry.title] = {"protocol": protocol} | _counted_draw(table, protocol, fit, tested, given["seed"])
    return dataset, pd.DataFrame.from_dict(rows, orient="index")


def _counted_draw(table: pd.DataFrame, protocol: str, fit: dict, tested: dict, seed: int) -> dict[str, int | str]:
    """A row of `plan_draws`; where there are too few to fit on, of the test frames alone."""
    problem = ""
    try:
        split = draw(table, protocol, **fit, **tested, seed=seed)
    except ParameterError as error:
        problem, split = str(error), draw(table, "same-clips", 0, 0, **tested, seed=seed)
    parts = {"fit": split.folds[0].fit["label"], "test": pd.concat([fold.test["label"] for fold in split.folds])}
    counts = {
        f"{part} {word}": int((labels == label).sum())
        for part, labels in parts.items()
        for word, label in CLASSES.values()
    }
    return counts | {"problem": problem}
