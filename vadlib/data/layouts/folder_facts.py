"""What a reader of results on a folder of one's own should know of it: its `VideoDataset.facts`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from vadlib.data.dataset import Clip
from vadlib.data.layouts.cameras import hours_alone
from vadlib.data.layouts.clip_search import MASK_ENDING
from vadlib.data.reading.scanning import VideoScan
from vadlib.frame_times import UnevenRate

MAX_CAMERAS, MAX_VIDEOS = 10, 5  # to be named one by one


def mask_facts(masks: Sequence[Path]) -> dict[str, str]:
    """Say which folders were taken for masks, and are no clips."""
    if not masks:
        return {}
    folders = f"{len(masks)} {'folder' if len(masks) == 1 else 'folders'} of masks"
    return {"not looked at": f"{folders} ({masks[0].name} beside {masks[0].name.removesuffix(MASK_ENDING)})"}


def camera_facts(clips: Sequence[Clip]) -> dict[str, str]:
    """Say how many clips there are of each camera, and which cameras have no normal footage of their own."""
    counts = {split: Counter(clip.scene for clip in clips if clip.split == split) for split in ("train", "test")}
    scenes = sorted({clip.scene for clip in clips})
    if len(scenes) < 2 or not counts["train"]:
        return {}
    listed = [f"{scene} ({counts['train'][scene]} normal, {counts['test'][scene]} to score)" for scene in scenes]
    more = f" and {len(scenes) - MAX_CAMERAS} more" if len(scenes) > MAX_CAMERAS else ""
    facts = {"clips of each camera": ", ".join(listed[:MAX_CAMERAS]) + more}
    without = [scene for scene in scenes if not counts["train"][scene]]
    for scene in without[:MAX_CAMERAS]:
        facts[f"camera {scene}"] = "no normal footage of this camera; it is judged by that of the others"
    if len(without) > MAX_CAMERAS:
        facts["other cameras"] = f"no normal footage of {len(without) - MAX_CAMERAS} more, either"
    return facts


def hour_facts(folders: Sequence[Sequence[str]]) -> dict[str, str]:
    """Say which folders of normal footage were taken for hours, where they may as well be cameras."""
    hours = hours_alone(folders)
    if len(hours) < 2:
        return {}
    said = f"folders called by numbers in those of dates ({_first(hours, ', ')}) were taken for times"
    remedy = f"if they are cameras, rename them, such as {hours[0]} to camera{hours[0]}"
    return {"camera": f"{said}, and all is one camera; {remedy}"}


def scan_facts(scans: Mapping[str, VideoScan]) -> dict[str, str]:
    """Say what there is to know of video files: damage, uneven rates, pictures that stand still."""
    uneven = [name for name, scan in scans.items() if isinstance(scan.rate, UnevenRate)]
    damaged = [f"{name}: {what}" for name, scan in scans.items() for what in scan.damage]
    noted = [f"{name}: {what}" for name, scan in scans.items() for what in scan.notes]
    facts = {"damage": _first(damaged, "; "), "videos": _first(noted, "; ")}
    facts["times"] = f"frames come unevenly in {_first(uneven, ', ')}; their own times are used" if uneven else ""
    return {name: value for name, value in facts.items() if value}


def _first(words: Sequence[str], mark: str) -> str:
    more = f" and {len(words) - MAX_VIDEOS} more" if len(words) > MAX_VIDEOS else ""
    return mark.join(words[:MAX_VIDEOS]) + more
