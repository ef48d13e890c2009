"""Blind baselines: what a score gets that never looks at a picture.

Each is made of frame labels and positions alone, so whatever AUROC it has, a detector of the same AUROC may have seen
nothing. Higher means more anomalous, as everywhere.

=======================  ==============================================================================================
scene_rate_oracle        share of anomalous frames in the frame's scene, its own clip included
scene_rate_other_clips   the same over the *other* clips of the scene; 0 where it has no other, and everywhere if all
                         frames are of one scene: nothing is known there
clip_rate_oracle         share of anomalous frames in the frame's clip
position                 t = frame / frames of the clip, from 0 up to 1
middle                   -|t - 1/2|: nearness to the middle of the clip
length                   frames of the clip
nearest_fit_label        label of the nearest fitted frame in time, of the same clip (see `nearest_fit_label`)
=======================  ==============================================================================================

The oracles read the labels that they are judged by, and no method could use them; the others could be had by anyone who
knows the clips' lengths, or the labels that the protocol hands out for fitting.
"""

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError
from vadlib.evaluation.folds import KEYS, check_frames, fit_neighbours, fold_pairs
from vadlib.evaluation.metrics import auroc

BLIND_BASELINES = {
    "scene_rate_oracle": "scene's rate of anomalies, oracle",
    "scene_rate_other_clips": "scene's rate of anomalies, other clips",
    "clip_rate_oracle": "clip's rate of anomalies, oracle",
    "position": "position in the clip",
    "middle": "nearness to the middle of the clip",
    "length": "length of the clip",
    "nearest_fit_label": "label of the nearest fit frame in time",
}


def blind_scores(table: pd.DataFrame, tested: pd.DataFrame | None = None, folds=None) -> dict[str, np.ndarray]:
    """Score frames by every blind baseline.

    Parameters
    ----------
    table : DataFrame
        One row for *every* frame of the tested clips, such as `dataset.frame_table()`: ``clip``, ``scene``, ``frame``
        (0-based), ``label``. Rates are counted over it; where it and `tested` have a ``split`` column, over the splits
        that are tested, so that training clips, which hold no anomaly by construction, do not thin them out.
    tested : DataFrame (n rows), optional
        ``clip`` and ``frame`` of the frames to score, in any order. None scores the whole table.
    folds : optional
        As in `nearest_fit_label`, which is added where they are given.

    Returns
    -------
    dict of str to float64 (n,)
        In the order of `tested`; the names are those of `BLIND_BASELINES`.

    Raises
    ------
    ParameterError
        A column is missing, a clip's frames are not 0 to n - 1, or a tested frame is not in the table.
    """
    tested = table if tested is None else tested
    check_frames(table, "table", columns=("scene", "label"))
    check_frames(tested, "tested")
    if "split" in table.columns and "split" in tested.columns:
        table = table[table["split"].isin(tested["split"].unique())]
    clips = _count_clips(table)  # a row a clip: scene, n_frames, n_anomalous
    rows = clips.reindex(tested["clip"].to_numpy())
    n_frames, n_anomalous = rows["n_frames"].to_numpy(), rows["n_anomalous"].to_numpy()  # (n,) each
    frame = tested["frame"].to_numpy(np.float64)
    outside = np.flatnonzero(~(frame < n_frames))  # a clip that the table lacks has NaN frames
    if len(outside):
        first = tested.iloc[outside[0]]
        raise ParameterError(
            f"tested: {len(outside)} frames are not in the table, first clip {first['clip']} frame {first['frame']}. "
            "Pass the frame table that they were drawn from."
        )
    scenes = clips.groupby("scene")[["n_frames", "n_anomalous"]].sum().reindex(rows["scene"].to_numpy())
    others = scenes["n_frames"].to_numpy() - n_frames
    others_anomalous = scenes["n_anomalous"].to_numpy() - n_anomalous
    position = frame / n_frames
    scores = {
        "scene_rate_oracle": (scenes["n_anomalous"] / scenes["n_frames"]).to_numpy(),
        "scene_rate_other_clips": np.divide(others_anomalous, others, out=np.zeros(len(tested)), where=others > 0)
        * (clips["scene"].nunique() > 1),
        "clip_rate_oracle": n_anomalous / n_frames,
        "position": position,
        "middle": -np.abs(position - 0.5),
        "length": n_frames.astype(np.float64),
    }
    return scores if folds is None else scores | {"nearest_fit_label": nearest_fit_label(folds, tested)}


def shuffled_scene_rates(table: pd.DataFrame, *, n: int = 50, seed: int = 0) -> list[dict[str, float]]:
    """AUROC of both scene rates where scenes are dealt out to the clips at random: what they give by construction.

    Parameters
    ----------
    table : DataFrame
        As in `blind_scores`: every frame of the clips that are tested.
    n, seed : int
        How many times, and the seed of `np.random.default_rng`.

    Returns
    -------
    list of dict of str to float
        ``scene_rate_oracle`` and ``scene_rate_other_clips`` of each.
    """
    if n < 1:
        raise ParameterError(f"n: at least one shuffle is expected, not {n!r}.")
    rng = np.random.default_rng(seed)
    scenes = _count_clips(table)["scene"]
    names = ("scene_rate_oracle", "scene_rate_other_clips")
    found = []
    for _ in range(n):
        dealt = pd.Series(rng.permutation(scenes.to_numpy()), index=scenes.index)
        scores = blind_scores(table.assign(scene=table["clip"].map(dealt)))
        found.append({name: auroc(table["label"], scores[name]) for name in names})
    return found


def nearest_fit_label(folds, tested: pd.DataFrame) -> np.ndarray:
    """Score a frame by the label of the nearest frame in time that its fold's detector was fitted on.

    It is what leakage alone is worth: a detector that remembers its labelled frames and can tell how far away they are
    gets this without knowing what an anomaly is. Only frames of the same clip are near in time; two that are equally
    near count half each. Where the fold has fitted no frame of the clip, the score is the rate of anomalies among its
    fitted frames of the clip's scene, and where there is none of the scene either, among all its fitted frames: the
    best guess that these labels allow without time.

    Parameters
    ----------
    folds : iterable, or an object with `.folds`
        Pairs (fit, test) of DataFrames with ``clip``, ``scene``, ``frame`` and ``label``, or objects with `.fit` and
        `.test`, such as those of `vadlib.data.draw`. The labels of test frames are not looked at.
    tested : DataFrame (n rows)
        ``clip`` and ``frame`` of the frames to score: all or some of those that the folds test.

    Returns
    -------
    float64 (n,)
        In [0, 1], in the order of `tested`.

    Raises
    ------
    ParameterError
        As `fold_pairs`; a fold without a fitted frame; a frame that no fold tests.
    """
    pairs = fold_pairs(folds, columns=("scene", "label"))
    check_frames(tested, "tested")
    scored = []
    for number, (fit, test) in enumerate(pairs, start=1):
        if not len(fit):
            raise ParameterError(f"folds: fold {number} has no fit frame, so there is no label to go by.")
        scored.append(_score_fold(fit, test))
    keys = pd.MultiIndex.from_frame(pd.concat([test[KEYS] for _, test in pairs]))
    found = keys.get_indexer(pd.MultiIndex.from_frame(tested[KEYS]))
    if (found < 0).any():
        first = tested.iloc[int(np.argmax(found < 0))]
        raise ParameterError(
            f"tested: {int((found < 0).sum())} frames are tested by no fold, first clip {first['clip']} frame "
            f"{first['frame']}. Pass frames of the folds' test tables."
        )
    return np.concatenate(scored)[found]


def _score_fold(fit: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Scores of one fold's test frames, float64 (n,)."""
    labels = fit["label"].to_numpy(np.float64)
    positions, distances, nearest = fit_neighbours(fit, test)  # (n, 2), (n, 2), (n,)
    counts = (distances == nearest[:, None]) & np.isfinite(distances)  # (n, 2): both where they are equally near
    in_clip = counts.any(axis=1)
    of_scene = fit.groupby("scene")["label"].mean()
    scores = test["scene"].map(of_scene).fillna(labels.mean()).to_numpy(np.float64, copy=True)
    sums = (labels[positions] * counts).sum(axis=1)
    scores[in_clip] = sums[in_clip] / counts[in_clip].sum(axis=1)
    return scores


def _count_clips(table: pd.DataFrame) -> pd.DataFrame:
    """A row a clip: scene, n_frames, n_anomalous; or the error that says which clip is not whole."""
    found = table.groupby("clip").agg(
        scene=("scene", "first"),
        n_scenes=("scene", "nunique"),
        n_frames=("frame", "size"),
        last=("frame", "max"),
        n_anomalous=("label", "sum"),
    )
    broken = found[found["last"] != found["n_frames"] - 1]
    if len(broken):
        clip = broken.iloc[0]
        raise ParameterError(
            f"table: clip {broken.index[0]} has {clip['n_frames']} rows, but its last frame is {clip['last']}. Every "
            "frame of a clip is needed, 0 to n - 1, to know its length and rate; draw after this, not before."
        )
    split = found[found["n_scenes"] != 1]
    if len(split):
        raise ParameterError(f"table: clip {split.index[0]} has {split['n_scenes'].iloc[0]} scenes; one is expected.")
    return found
