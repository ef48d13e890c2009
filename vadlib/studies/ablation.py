"""What a paper leaves open, varied one thing at a time: the settings to try, and how far each choice moves AUROC."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from math import ceil
from typing import Any

import pandas as pd

from vadlib.detectors import catalogue
from vadlib.errors import ParameterError
from vadlib.evaluation import bootstrap_difference
from vadlib.studies.runner import DetectorSpec, main_score

# What a reader calls a field of `DetectorSpec` or an argument of a detector.
CHOICES = {
    "score": "frame score",
    "reduction": "reduction",
    "n_components": "dimensions",
    "layers": "layers",
    "image_size": "picture size",
    "epsilon": "epsilon",
    "sigma": "blur",
    "n_fit": "frames fitted",
    "seed": "luck of the draw",
    "target": "class explained",
    "reference": "reference map",
    "map_size": "size of maps",
    "weights": "ensemble's weights",
    "top_k": "prototypes averaged",
    "view": "part of the frame",
    "mode": "classes learnt",
}
LUCK = "luck of the draw"  # a yardstick, not a choice: what the seed of a projection or of K-Means alone moves
MOST_TAIL_RESAMPLES = 200_000
TAIL_RESAMPLES = 5  # beyond each bound of a corrected interval, at least


@dataclass(frozen=True)
class Setting:
    """One thing varied: detector, choice and value as a reader calls them; the default's choice is empty."""

    detector: str
    choice: str
    value: str
    base: str  # name of the default setting that it is compared with
    trial: DetectorSpec


def ablation_settings(
    defaults: Mapping[str, DetectorSpec], varied: Mapping[str, Mapping[str, Sequence[Any]]]
) -> dict[str, Setting]:
    """The default of each detector, and what differs from it in one thing.

    Parameters
    ----------
    defaults : mapping of str to DetectorSpec
        By the detector's name.
    varied : mapping of str to mapping
        By the same names; then by a field of `DetectorSpec` or an argument of the detector (a key of `CHOICES`), the
        values to try. Layers may be a text, "layer1 layer2", weights too, "2 1 1". A value that is the default is
        left out.

    Returns
    -------
    dict of str to Setting
        By ``DETECTOR`` for defaults, ``DETECTOR, CHOICE: VALUE`` for the others; detector by detector.

    Raises
    ------
    ParameterError
        If there is no such detector or thing to vary.
    """
    settings: dict[str, Setting] = {}
    for detector, default in defaults.items():
        settings[detector] = Setting(detector, "", "default", detector, default)
        for key, values in varied.get(detector, {}).items():
            usual, choice = default_value(default, key), choice_title(detector, key)
            for value in dict.fromkeys(_parsed(key, value) for value in values):
                if value != usual:
                    text = _text(key, value)
                    name = f"{detector}, {choice}: {text}"
                    settings[name] = Setting(detector, choice, text, detector, _changed(default, key, value))
    strange = sorted(set(varied) - set(defaults))
    if strange:
        raise ParameterError(f"varied: no default of {strange[0]!r}; there are {', '.join(defaults)}")
    return settings


def variations(
    defaults: Mapping[str, DetectorSpec], overrides: Mapping[str, Mapping[str, Sequence[Any]]], commonest: int
) -> dict[str, dict[str, list[Any]]]:
    """What to vary of each detector: what its class says, with a profile's own values instead where it has any.

    Parameters
    ----------
    defaults : mapping of str to DetectorSpec
        By title.
    overrides : mapping of str to mapping
        By title, then by what is varied; no values at all leave a choice out.
    commonest : int
        What the value ``commonest`` stands for: the class that the classifier most often sees in normal frames.
    """
    return {
        title: {
            key: [commonest if value == "commonest" else value for value in values]
            for key, values in {**catalogue.entry(title).cls.varied, **overrides.get(title, {})}.items()
        }
        for title in defaults
    }


def choice_title(detector: str, key: str) -> str:
    """What a reader calls a field of `DetectorSpec` or an argument of a detector.

    A count that `CHOICES` does not name goes by the chapters' parameter for it: ``k`` of SPADE is ``n_neighbours``.
    """
    parameter = catalogue.entry(detector).cls.chapter_options.get(key, "")
    counted = f"number of {parameter.removeprefix('n_')}" if parameter.startswith("n_") else key
    return CHOICES.get(key, counted.replace("_", " "))


def default_value(trial: DetectorSpec, key: str) -> Any:
    """What a trial has for a field of `DetectorSpec` or for an argument of its detector.

    Raises
    ------
    ParameterError
        If the detector has no such argument.
    """
    if key == "score":
        return main_score(trial)
    if key in _trial_fields():
        return getattr(trial, key)
    arguments = inspect.signature(catalogue.entry(trial.detector).cls).parameters
    if key not in arguments:
        raise ParameterError(f"varied: {trial.detector} has no {key!r}; it has {', '.join(arguments)}")
    return _parsed(key, trial.options.get(key, arguments[key].default))


def _changed(trial: DetectorSpec, key: str, value: Any) -> DetectorSpec:
    if key in _trial_fields():
        return replace(trial, **{key: value})
    return replace(trial, options=dict(trial.options) | {key: value})


def _trial_fields() -> set[str]:
    return {field.name for field in fields(DetectorSpec)}


def _parsed(key: str, value: Any) -> Any:
    """Layers and weights as tuples, however they were written."""
    if key == "layers":
        return tuple(value.split()) if isinstance(value, str) else tuple(value)
    if key == "weights":
        return tuple(float(part) for part in (value.split() if isinstance(value, str) else value))
    return value


def _text(key: str, value: Any) -> str:
    if key == "layers":
        return ", ".join(name.removeprefix("layer") for name in value)
    if key == "weights":
        return " : ".join(f"{part:g}" for part in value)
    if key in ("image_size", "map_size", "sigma"):
        return "as the frames" if value is None else f"{value:g} px"
    if key == "seed" or (key == "target" and value != "top1"):
        return f"{'class' if key == 'target' else key} {value}"
    if key == "n_fit":
        return "all held" if value is None else str(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def default_text(setting: Setting, choice: str) -> str:
    """What the default has for a choice, as a reader sees it."""
    keys = {*CHOICES, *catalogue.entry(setting.detector).cls.varied, *setting.trial.options}
    key = next((key for key in sorted(keys) if choice_title(setting.detector, key) == choice), choice.replace(" ", "_"))
    return _text(key, default_value(setting.trial, key))


def rank_choices(
    scores: pd.DataFrame,
    settings: Mapping[str, Setting],
    merit: pd.DataFrame,
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """How far the settings of each choice lie apart, the furthest first.

    Parameters
    ----------
    scores : DataFrame
        ``clip``, ``label``, one column a setting.
    settings : mapping of str to Setting
    merit : DataFrame
        From `vadlib.studies.runner.compare_trials`, of the same settings.
    n_resamples, seed : int
        Of the bootstrap over clips; the corrected intervals take more resamples, as their tails need them.

    Returns
    -------
    DataFrame
        One row a choice of a detector: ``detector``, ``choice``, ``default``; ``n_settings``, the default counted;
        ``best``, ``worst`` (names of settings), ``highest``, ``lowest``, ``base`` (their AUROCs, and the default's);
        ``span``, the `Interval` of highest minus lowest on the same resamples of the clips; ``corrected``, the
        same at the level that Bonferroni's correction asks for: the best and the worst were picked out of every pair
        of settings of every choice.

    Raises
    ------
    ParameterError
        If nothing was varied.
    """
    groups: dict[tuple[str, str], list[str]] = {}
    for name, setting in settings.items():
        if setting.choice:
            groups.setdefault((setting.detector, setting.choice), [setting.base]).append(name)
    if not groups:
        raise ParameterError("settings: nothing is varied; give a choice at least one value besides its default")
    n_pairs = sum(sum(1 for _ in combinations(names, 2)) for names in groups.values())
    level = 1 - 0.05 / n_pairs
    n_corrected = min(max(n_resamples, ceil(2 * TAIL_RESAMPLES * n_pairs / 0.05)), MOST_TAIL_RESAMPLES)
    rows = []
    for (detector, choice), names in groups.items():
        values = merit.loc[names, "estimate"]
        best, worst = values.idxmax(), values.idxmin()
        pair = (scores["label"], scores[best], scores[worst])
        drawn = {"clusters": scores["clip"], "seed": seed}
        rows.append({
            "detector": detector, "choice": choice, "default": default_text(settings[names[0]], choice),
            "n_settings": len(names), "best": best, "worst": worst,
            "highest": float(values.max()), "lowest": float(values.min()), "base": float(values.iloc[0]),
            "span": bootstrap_difference(*pair, n_resamples=n_resamples, **drawn),
            "corrected": bootstrap_difference(*pair, n_resamples=n_corrected, level=level, **drawn),
        })  # fmt: skip
    table = pd.DataFrame(rows)
    return table.iloc[(table["lowest"] - table["highest"]).argsort(kind="stable")].reset_index(drop=True)
