"""Sentences on protocols: what scores that look at no picture get, and what detectors get, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean

from vadlib.evaluation import Interval
from vadlib.report.words.common import DATASET_NAMES, interval_of
from vadlib.studies.draws import ProtocolDraws
from vadlib.studies.protocol_audit import nearest_label_column

IN_PAPER = ("PaDiM", "Grad-CAM + SSIM", "Prototypes")
SHARE_CLIPS = ("reused-frames", "same-clips")
WORTH_NAMING = {  # blind scores that an answer names, as it calls them
    "middle": "middle of the clip",
    "nearest_fit_label_same_clips": "nearest fit frame's label under same-clips",
    "nearest_fit_label_disjoint_clips": "the fit frames' labels under disjoint-clips",
}


def draws_sentence(draws: ProtocolDraws) -> str:
    """What had to be brought down and what was left out, or that nothing was."""
    if not draws.changes and not draws.left_out:
        return "Here each has the frames that the profile asks for."
    said = [f"Brought down to what there is here: {'; '.join(draws.changes)}."] if draws.changes else []
    return " ".join([*said, *(f"Left out, {name}: {why}." for name, why in draws.left_out.items())])


# ---- scores that look at no picture


def standing_sentence(blind: Interval, value: float, whose: str = "it") -> str:
    """Where a blind score stands to an AUROC that is stated without an interval: above or below with all of its own."""
    if blind.low > value:
        return f"above {whose}"
    return f"below {whose}" if blind.high < value else f"not told apart from {whose}"


def above_blind_sentence(blind: Mapping, value: float, whose: str) -> str:
    """A blind score's AUROC, as `metrics.json` has it, and where it stands to a value that the paper states."""
    interval = interval_of(blind["micro_auroc_interval"])
    return f"{interval:.3f} ({standing_sentence(interval, value, f'''{whose}'s {value:.3f}''')})"


def nearest_label_sentence(by_protocol: Mapping[str, Interval]) -> str:
    """What the label of the nearest fit frame is worth where clips are shared, by protocol."""
    worth = [f"{by_protocol[name]:.3f} under {name}" for name in SHARE_CLIPS if name in by_protocol]
    if not worth:
        return "no protocol was drawn that hands out labels of other frames"
    return f"the label of the nearest fit frame in time is worth {' and '.join(worth)}"


def memory_sentence(by_protocol: Mapping[str, Interval], value: float) -> str:
    """The same under every protocol that hands out labels, beside a value that the paper states."""
    worth = [
        f"{interval:.3f} under {name} ({standing_sentence(interval, value)})"
        for name, interval in by_protocol.items()
        if name != "official-split"
    ]
    if not worth:
        return ""
    return (
        f"The label of the nearest fit frame in time is worth {', '.join(worth)}; where clips or scenes are apart "
        "there is none in the clip, and it is the scene's rate among the fit frames, or that of all."
    )


def labels_alone_sentences(
    blind: Mapping[str, Interval],
    draws: ProtocolDraws,
    shuffled: Sequence[Mapping[str, float]],
    stated: Mapping[str, float],
    dataset: str,
) -> dict[str, str]:
    """What ``22_labels_alone`` says of its scores, by the name to cite.

    `blind` are the AUROCs of `blind_columns` of `draws`, `shuffled` is from `shuffled_scene_rates`, and `stated` are
    the paper's AUROCs, by detector.
    """
    padim, gradcam, clip = (stated[title] for title in IN_PAPER)
    by_protocol = {name: blind[nearest_label_column(name)] for name in draws.splits}
    held = {
        "scene": ("scene_rate_other_clips", padim),
        "scene_oracle": ("scene_rate_oracle", padim),
        "position": ("position", gradcam),
        "middle": ("middle", clip),
    }
    averages = {"shuffled_scenes": "scene_rate_other_clips", "shuffled_oracle": "scene_rate_oracle"}
    return {
        "answer": nearest_label_sentence(by_protocol),
        "draw_note": draws_sentence(draws),
        "comparable": comparable_sentence(dataset),
        "memory_sentence": memory_sentence(by_protocol, clip),
        "padim_stated": f"{padim:.3f}",
        "gradcam_stated": f"{gradcam:.3f}",
        "clip_stated": f"{clip:.3f}",
        **{f"{name}_auroc": f"{blind[score]:.3f}" for name, (score, _) in held.items()},
        **{f"{name}_standing": standing_sentence(blind[score], value) for name, (score, value) in held.items()},
        **{name: f"{mean(found[score] for found in shuffled):.3f}" for name, score in averages.items()},
    }


def comparable_sentence(dataset: str) -> str:
    """Whether the paper's values and those of this data set's labels can be held against each other."""
    if dataset == "shanghaitech":
        return (
            "They are of the same test clips, so they can be held against each other, though the paper's own draw of "
            "frames is not known and its values have no interval."
        )
    return (
        f"The paper's values are of ShanghaiTech Campus and these of {DATASET_NAMES.get(dataset, dataset)}: what "
        "follows shows how to read the figure, and counts only for labels of ShanghaiTech."
    )


def best_blind_sentence(blind: Mapping[str, Mapping]) -> str:
    """The highest AUROC of the scores that need no fit frame, and which it is of."""
    aurocs = {
        name: found["micro_auroc_interval"]["estimate"]
        for name, found in blind.items()
        if not name.startswith("nearest")
    }
    best = max(aurocs, key=aurocs.__getitem__)
    return f"{aurocs[best]:.3f} ({best.replace('_', ' ')})"


def no_picture_sentence(blind: Mapping[str, Mapping]) -> str:
    """What the labels alone get, as an answer to whether an AUROC is good."""
    worth = [
        f"{words} {interval_of(blind[key]['micro_auroc_interval']):.3f}"
        for key, words in WORTH_NAMING.items()
        if key in blind
    ]
    return f"No picture needed: {'; '.join(worth)}"


def records_sentence(recorded, stated: Mapping[str, float]) -> str:
    """What ShanghaiTech's labels alone (a `Recorded` ``22_labels_alone``, or None) give beside the paper's AUROCs."""
    if recorded is None:
        return (
            "What ShanghaiTech's own labels give is not recorded in this copy of the project; see the chapter on the "
            "labels alone for how to run it."
        )
    blind, (padim, gradcam, clip) = recorded.metrics["scores"], (stated[title] for title in IN_PAPER)
    return (
        f"On ShanghaiTech's own labels ({recorded.brief}), the rate of anomalies in the other clips of the scene is "
        f"worth {above_blind_sentence(blind['scene_rate_other_clips'], padim, 'PaDiM')}; being near the middle of the "
        f"clip {above_blind_sentence(blind['middle'], clip, 'CLIP')}; how far the clip has gone on "
        f"{above_blind_sentence(blind['position'], gradcam, 'Grad-CAM')}; and where fit and test frames share clips, "
        f"the label of the nearest fit frame "
        f"{above_blind_sentence(blind['nearest_fit_label_same_clips'], clip, 'CLIP')}."
    )


# ---- detectors under several protocols


def quality_sentence(metrics: Mapping) -> str:
    """What the detector that sees labels gets by protocol, and what the labels alone get (of ``23_protocols``)."""
    parts = [
        f"{interval_of(found['Prototypes']):.3f} under {protocol}, where the fit frames' labels alone get "
        f"{interval_of(metrics['blind_by_protocol'][protocol]):.3f}"
        for protocol, found in metrics["by_protocol"].items()
        if "Prototypes" in found
    ]
    return f"Prototypes: {'; '.join(parts)}."


def comparison_sentence(comparisons: Iterable[Mapping]) -> str:
    """Whether PaDiM is above Grad-CAM + SSIM, by Holm's correction over all pairs (rows of `compare_all`)."""
    first, second = "PaDiM", "Grad-CAM + SSIM"
    for row in comparisons:
        if {row["a"], row["b"]} == {first, second}:
            sign = 1 if row["a"] == first else -1
            low, high = sorted((sign * row["low"], sign * row["high"]))
            difference = Interval(sign * row["estimate"], low, high)
            verdict = f"{row['better']} is the better" if row["better"] else "these clips do not tell them apart"
            return f"{first} minus {second}: {difference:+.3f}, p = {row['p_adjusted']:.3f} after Holm: {verdict}."
    return f"{first} and {second} were not compared."


def audit_answers(
    found: Mapping, blind: Mapping[str, Mapping], ped2=None, labels_record=None
) -> dict[str, dict[str, str]]:
    """Answers to the questions of ``23_protocols``, by question and by what they are of.

    `found` are metrics of that chapter, `blind` the ``scores`` of ``22_labels_alone``; `ped2` and `labels_record` are
    recorded runs of the same two chapters, on UCSD Ped2 and on ShanghaiTech's labels.
    """
    sources = {"this build": found} | ({"UCSD Ped2, recorded": ped2.metrics} if ped2 else {})
    labels = {"this build's labels": blind}
    if labels_record:
        labels["ShanghaiTech's labels, recorded"] = labels_record.metrics["scores"]
    return {
        "Is 0.797 good?": {name: quality_sentence(metrics) for name, metrics in sources.items()}
        | {name: no_picture_sentence(scores) for name, scores in labels.items()},
        "Is PaDiM really better than Grad-CAM?": {
            name: comparison_sentence(metrics["comparisons"]) for name, metrics in sources.items()
        },
    }


def audit_sentences(found: Mapping, protocol: str) -> dict[str, str]:
    """What ``23_protocols`` says of its metrics, by the name to cite; the others are held against `protocol`."""
    against = found["against"]
    comparison, within = comparison_sentence(found["comparisons"]), found["within_folds"].get("Prototypes")
    shared, training = (against.get(name, {}).get("PaDiM") for name in ("same-clips", "official-split"))
    reused, apart = (found["by_protocol"].get(name, {}).get("Prototypes") for name in ("reused-frames", protocol))
    return {
        "answer": (
            f"On the same test frames prototypes get {reused:.3f} where those frames were among the fitted ones and "
            f"{apart:.3f} under {protocol}. On the detectors' own larger draws, {comparison}"
            if reused and apart
            else comparison
        ),
        "within_prototypes": "not measured" if within is None else f"{within:.3f}",
        "pooled_prototypes": f"{apart.estimate:.3f}" if apart else "not measured",
        "padim_sources": (
            f"PaDiM minus PaDiM under {protocol}: {shared:+.3f} on normal frames of the tested clips, {training:+.3f} "
            "on those of training clips"
            if shared and training
            else "not measured in this build"
        ),
        "lost_prototypes": lost_sentence(against, "Prototypes"),
        "lost_padim": lost_sentence(against, "PaDiM"),
    }


def lost_sentence(against: Mapping[str, Mapping[str, Interval]], detector: str) -> str:
    """How much higher a detector is where fit and test share clips than where they do not."""
    parts = [
        f"{found[detector]:+.3f} under {protocol}"
        for protocol, found in against.items()
        if detector in found and protocol in SHARE_CLIPS
    ]
    return "; ".join(parts) if parts else "not measured here"
