"""What the published tables of ShanghaiTech say, in words and tables: of `measure_published_tables`, or its record."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from vadlib.evaluation import Interval
from vadlib.report.words.common import interval_of
from vadlib.report.words.protocols import standing_sentence

SCORE_TITLES = {
    "stg_nf": "STG-NF",
    "velocity": "AI-VAD, velocity",
    "pose": "AI-VAD, pose",
    "deep": "AI-VAD, deep features",
    "speed": "speed of tracked people",
    "captions_other_clips": "captions, other clips",
    "captions_other_clips_mean": "captions, other clips, averaged",
    "captions_other_scenes_mean": "captions, other scenes, averaged",
    "middle": "nearness to the clip's middle",
    "position": "position in the clip",
    "scene_rate_other_clips": "scene's rate in other clips",
}
NORMAL_CLIPS_ALONE = ("stg_nf", "velocity", "speed", "pose", "deep")
NO_PICTURE = ("middle", "position", "scene_rate_other_clips")


def score_intervals(found: Mapping) -> dict[str, Interval]:
    """AUROC over clips of every score of all test frames, by its name."""
    return {name: interval_of(entry["micro_auroc_interval"]) for name, entry in found["scores"].items()}


def main_interval(entry: Mapping, score: str | None = None) -> Interval:
    """AUROC over clips of a protocol's main score, or of another."""
    return interval_of(entry["scores"][score or entry["main"]]["micro_auroc_interval"])


def answer_groups(found: Mapping) -> dict[str, dict[str, Interval]]:
    """Everything that the chapter sets side by side: under a heading, each score's AUROC."""
    on_all, arrays = score_intervals(found), {"PaDiM": "padim", "Prototypes": "fused_score"}
    return {
        "the author's arrays (over frames: too narrow)": {
            title: interval_of(found["paper"][name]["frames"]) for title, name in arrays.items()
        },
        "captions, prototypes as run": {
            f"as run, {name}": main_interval(entry) for name, entry in found["as_run"].items()
        },
        "captions, prototypes as described": {name: main_interval(entry) for name, entry in found["captions"].items()},
        "fitted on normal clips alone": {SCORE_TITLES[name]: on_all[name] for name in NORMAL_CLIPS_ALONE},
        "no look at any picture": {SCORE_TITLES[name]: on_all[name] for name in NO_PICTURE},
    }


def compared_titles(found: Mapping) -> pd.DataFrame:
    """The comparisons of pairs, for `pairs_table`, each score by its title."""
    table = pd.DataFrame(found["comparisons"])
    return table.assign(**{name: table[name].map(SCORE_TITLES).fillna("") for name in ("a", "b", "better")})


def captions_table(found: Mapping) -> pd.DataFrame:
    """A row for each protocol of the prototypes on captions, as the paper describes them and as run."""
    rows = {}
    for what, group in (("as described", found["captions"]), ("as run", found["as_run"])):
        for protocol, entry in group.items():
            seeds, single = list(entry["by_seed"].values()), entry["scores"]
            names = [name for name in ("max", "mean", "topk", "distance") if name in single]
            lost = entry.get("same_clips_minus_this")
            rows[f"{what}, {protocol}"] = {
                "AUROC, over clips": f"{main_interval(entry):.3f}",
                "over frames": f"{interval_of(entry['frames']):.3f}",
                f"{len(seeds)} seeds": f"{min(seeds):.3f} to {max(seeds):.3f}",
                "less than same-clips": f"{interval_of(lost):.3f}" if lost else "",
                "its single scores": ", ".join(f"{name} {single[name]['micro_auroc']:.2f}" for name in names),
                "label of the nearest fitted frame": f"{main_interval(entry, 'nearest_fit_label'):.3f}",
                "captions fitted on word for word": f"{entry['share_seen']:.0%}",
            }
    return pd.DataFrame.from_dict(rows, orient="index")


def kinds_table(found: Mapping) -> pd.DataFrame:
    """AUROC of each kind of event's frames against all normal frames: a row a kind, a column a score."""
    on_all = {title: found["kinds"][name] for name, title in SCORE_TITLES.items()}
    drawn = {f"captions, {protocol}, tested frames": kinds for protocol, kinds in found["kinds_drawn"].items()}
    columns = {title: pd.Series({kind: _bounds(row) for kind, row in kinds.items()}) for title, kinds in on_all.items()}
    columns |= {title: pd.Series({kind: _bounds(row) for kind, row in kinds.items()}) for title, kinds in drawn.items()}
    sizes = {kind: f"{row['n_frames']:,} in {row['n_clips']}" for kind, row in found["kinds"]["stg_nf"].items()}
    return pd.DataFrame({"frames in clips": pd.Series(sizes), **columns}).loc[list(sizes)].fillna("not drawn")


def scenes_table(found: Mapping) -> pd.DataFrame:
    """AUROC inside each scene: a row a scene, a column a score."""
    columns = {
        title: pd.Series({scene: _bounds(row) for scene, row in found["scores"][name]["scenes"].items()})
        for name, title in SCORE_TITLES.items()
    }
    clips = {scene: row["n_clips"] for scene, row in found["scores"]["stg_nf"]["scenes"].items()}
    return pd.DataFrame({"clips": pd.Series(clips), **columns})


def _seeds(entry: Mapping) -> str:
    """From the lowest to the highest AUROC of a protocol's seeds."""
    return f"{min(entry['by_seed'].values()):.2f} to {max(entry['by_seed'].values()):.2f}"


def _bounds(row: Mapping) -> str:
    """An estimate, with its bounds where it has any."""
    bounds = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
    return f"{row['estimate']:.2f}{bounds}"


def frequent_kinds(found: Mapping) -> dict[str, dict]:
    """By kind of event from clips enough for an interval: its frames and clips, and each score's interval."""
    return {
        kind: {"n_frames": row["n_frames"], "n_clips": row["n_clips"]}
        | {
            name: Interval(*(kinds[kind][key] for key in ("estimate", "low", "high")))
            for name, kinds in found["kinds"].items()
        }
        for kind, row in found["kinds"]["stg_nf"].items()
        if row["low"] is not None
    }


def kinds_sentences(found: Mapping) -> dict[str, str]:
    """What the prose of the chapter on kinds of event takes from the measurements."""
    kinds, frequent, best = found["kinds"]["stg_nf"], frequent_kinds(found), {}
    for kind, row in frequent.items():
        best.setdefault(max(NORMAL_CLIPS_ALONE, key=lambda name, row=row: row[name].estimate), []).append(kind)
    first = next(iter(kinds))
    blind = [kind for kind, row in frequent.items() if row["middle"].estimate >= row["stg_nf"].estimate]
    return {
        "n_kinds": f"{len(kinds)}",
        "n_frequent": f"{len(frequent)}",
        "most_frequent": first,
        "share_most_frequent": f"{kinds[first]['n_frames'] / found['n_anomalous']:.0%}",
        "best_by_kind": "; ".join(f"{SCORE_TITLES[name]} for {', '.join(those)}" for name, those in best.items()),
        "blind_above": (
            f"Nearness to the middle of the clip has an AUROC as high as that of STG-NF for {', '.join(blind)}."
            if blind
            else "For none of these kinds is nearness to the middle of the clip above STG-NF."
        ),
    }


def shanghaitech_sentences(found: Mapping, stated: float) -> dict[str, str]:
    """Everything that the prose of the chapter takes from the measurements.

    Parameters
    ----------
    found : mapping
        From `vadlib.studies.shanghaitech.measure_published_tables`, or a record of it.
    stated : float
        What the paper states for its prototypes.
    """
    on_all, weights, paper = score_intervals(found), found["paper_weights"], found["paper"]
    run, others = found["as_run"]["same-clips"], found["as_run"]["disjoint-clips"]
    as_run, elsewhere = main_interval(run), main_interval(others)
    stills, averaged = on_all["captions_other_clips"], on_all["captions_other_clips_mean"]
    frames, lost = interval_of(run["frames"]), interval_of(others["same_clips_minus_this"])
    described = found["captions"]["disjoint-clips"]
    whose, told = f"the paper's {stated:.3f}", sum(pair["better"] != "" for pair in found["comparisons"])
    return {
        "stated": f"{stated:.3f}",
        "n_padim": f"{paper['padim']['n_frames']:,}",
        "n_fused": f"{paper['fused_score']['n_frames']:,}",
        "as_run": f"{as_run:.2f}",
        "as_run_standing": standing_sentence(as_run, stated, whose),
        "as_run_other_clips": f"{elsewhere:.2f}",
        "seeds_as_run": _seeds(run),
        "seeds_other_clips": _seeds(others),
        "n_seeds": f"{len(run['by_seed'])}",
        "lost_as_run": f"{lost:.2f}",
        "lost_as_described": f"{interval_of(described['same_clips_minus_this']):.2f}",
        "weights_elsewhere": f"{main_interval(run, 'weighted_elsewhere'):.2f}",
        "best_single_as_run": f"{max(run['scores'][name]['micro_auroc'] for name in ('max', 'topk', 'distance')):.2f}",
        "mean_other_clips": f"{main_interval(others, 'mean'):.2f}",
        "max_other_clips": f"{main_interval(others, 'max'):.2f}",
        "stg_nf": f"{on_all['stg_nf']:.2f}",
        "speed": f"{on_all['speed']:.2f}",
        "bar": (
            f"Of the methods that learn from normal clips alone, STG-NF gets {on_all['stg_nf']:.2f}, and the speed of "
            f"tracked people {on_all['speed']:.2f}."
        ),
        "still_frames": (
            f"Captions, which know still frames only, get {stills:.2f} on clips that were not fitted on "
            f"({standing_sentence(stills, stated, whose)}), and averaged in time {averaged:.2f} "
            f"({standing_sentence(averaged, stated, whose)})"
        ),
        "pairs": f"of the {len(found['comparisons'])} pairs, {told} can be told apart",
        "by_scene": f"{on_all['speed_of_scene_mean']:.2f}",
        "not_averaged": f"{on_all['speed_of_place']:.2f}",
        "n_train_clips": f"{found['tracks']['n_train_clips']:,}",
        "no_people": f"{found['tracks']['share_of_frames_without_people']:.0%}",
        "n_captions": f"{found['n_captions']:,}",
        "n_frames": f"{found['n_frames']:,}",
        "padim_frames": f"{interval_of(paper['padim']['frames']):.4f}",
        "fused_frames": f"{interval_of(paper['fused_score']['frames']):.4f}",
        "width_ratio": f"{(as_run.high - as_run.low) / (frames.high - frames.low):.1f}",
        "weights_all": f"{weights['all']:.4f}",
        "optimism": f"{weights['optimism']:+.3f} (standard deviation over the splits {weights['optimism_sd']:.3f})",
        "judged_on": f"{weights['judged_on']:.3f}",
        "best_single": f"{weights['best_single']:.3f}",
    }
