"""Does an interval hold the truth as often as it says? Every method on simulated data sets whose truth is known."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from vadlib.errors import ParameterError
from vadlib.evaluation.bootstrap import resample
from vadlib.evaluation.bootstrap_intervals import METHODS, bounds, check_level
from vadlib.evaluation.intervals import delong_auroc
from vadlib.evaluation.simulation import ScoreModel, Shapes, draw_data_set


def coverage(
    shapes: Shapes,
    model: ScoreModel,
    *,
    against: ScoreModel | None = None,
    unit: str = "clips",
    n_clips: int | None = None,
    n_data_sets: int = 1000,
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = False,
) -> pd.DataFrame:
    """How often each method's interval holds the truth, over many simulated data sets.

    Parameters
    ----------
    shapes : Shapes
    model : ScoreModel
    against : ScoreModel, optional
        A second detector on the same frames; then intervals are of the difference of the two AUROCs.
    unit, n_clips
        As in `draw_data_set`; clusters are clips or scenes accordingly.
    n_data_sets, n_resamples : int
    level : float
    seed : int
        Of the data sets; the resamples of the i-th have the seed i.
    progress : bool
        Show a bar.

    Returns
    -------
    DataFrame
        Index: method, the four of `bootstrap_auroc` and, without `against`, "delong". Columns: ``coverage``, its
        Monte-Carlo ``standard_error``; ``truth_below`` and ``truth_above``, the shares of intervals that lie wholly
        above or below the truth; ``width``, the median; ``truth`` and ``estimate``, means over data sets.

    Raises
    ------
    ParameterError
        As `draw_data_set`; `n_data_sets` below 1.
    """
    check_level(level)
    if n_data_sets < 1:
        raise ParameterError(f"n_data_sets must be at least 1; got {n_data_sets!r}.")
    models, contrast = ([model], [1.0]) if against is None else ([model, against], [1.0, -1.0])
    rng = np.random.default_rng(seed)
    found: dict[str, list] = {}
    truths, estimates = [], []
    for i in tqdm(range(n_data_sets), desc="coverage", unit=" data set", disable=not progress, leave=False):
        data = draw_data_set(shapes, models, rng, unit=unit, n_clips=n_clips)
        (resampled,) = resample(
            data.labels, data.scores, [contrast], clusters=data.clusters, n_resamples=n_resamples, seed=i
        )
        truths.append(float(contrast @ data.truth))
        estimates.append(resampled.estimate)
        for method in METHODS:
            found.setdefault(method, []).append(
                bounds(resampled, level=level, method=method, difference=against is not None)
            )
        if against is None:
            interval = delong_auroc(data.labels, data.scores[0], level=level)
            found.setdefault("delong", []).append((interval.low, interval.high))
    truth = np.array(truths)
    rows = {}
    for method, pairs in found.items():
        low, high = np.array(pairs).T
        below, above = np.mean(truth < low), np.mean(truth > high)
        held = 1 - below - above
        rows[method] = {
            "coverage": held,
            "standard_error": np.sqrt(held * (1 - held) / n_data_sets),
            "truth_below": below,
            "truth_above": above,
            "width": np.median(high - low),
            "truth": truth.mean(),
            "estimate": np.mean(estimates),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")


def coverage_study(
    table: pd.DataFrame,
    *,
    n_clips: Sequence[int | None] = (None, 24, 12),
    aurocs: Sequence[float] = (0.5, 0.7, 0.9, 0.97),
    n_data_sets: int = 1000,
    n_resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """The simulation to be recorded: every method, several numbers of clips and AUROCs, over clips and over scenes.

    Parameters
    ----------
    table : DataFrame
        A frame table: ``clip``, ``frame``, ``label``, ``scene``.
    n_clips : sequence
        Numbers of clips to draw; None for as many as the table has.
    aurocs : sequence of float
        True AUROCs over all scenes; the other numbers of the model are `ScoreModel`'s defaults. At each there is also a
        comparison with a second detector of the same AUROC, and, where the table has six scenes or more, one design
        over scenes.
    n_data_sets, n_resamples, level, seed, progress
        As in `coverage`.

    Returns
    -------
    DataFrame
        One row for each design and method: ``quantity`` ("AUROC" or "difference"), ``unit``, ``n_units``, ``auroc`` (as
        asked for), ``method``, and the columns of `coverage`.
    """
    shapes = Shapes.of_table(table)
    numbers = list(dict.fromkeys(len(shapes.labels) if n is None else n for n in n_clips))  # each design once
    designs = [(quantity, "clips", n) for quantity in ("AUROC", "difference") for n in numbers]
    if shapes.n_scenes > 5:
        designs.append(("AUROC", "scenes", None))
    parts = []
    with tqdm(total=len(designs) * len(aurocs), desc="designs", disable=not progress, leave=False) as bar:
        for quantity, unit, n in designs:
            for target in aurocs:
                model = ScoreModel().with_auroc(target)
                found = coverage(
                    shapes,
                    model,
                    against=model if quantity == "difference" else None,
                    unit=unit,
                    n_clips=n,
                    n_data_sets=n_data_sets,
                    n_resamples=n_resamples,
                    level=level,
                    seed=seed,
                    progress=progress,
                )
                n_units = shapes.n_scenes if unit == "scenes" else n
                keys = {"quantity": quantity, "unit": unit, "n_units": n_units, "auroc": target}
                parts.append(found.reset_index().assign(**keys))
                bar.update()
    whole = pd.concat(parts, ignore_index=True)
    return whole[["quantity", "unit", "n_units", "auroc", *parts[0].columns.drop(list(keys))]]
