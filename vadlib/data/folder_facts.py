"""What a reader of results on a folder of one's own should know of it: `VideoDataset.facts` of `vadlib.data.folder`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from vadlib.data.dataset import Clip
from vadlib.data.scanning import VideoScan
from vadlib.frame_times import UnevenRate

UNKNOWN_SCENE = "unknown"
UNREAD_SUFFIXES = (
    ".m2ts", ".mts", ".m2t", ".3gp", ".3g2", ".flv", ".f4v", ".asf", ".vob", ".ogv", ".mxf", ".rm", ".rmvb", ".divx",
    ".m2v", ".h264", ".264", ".h265", ".265", ".hevc", ".dav",
)  # fmt: skip
MAX_CAMERAS, MAX_VIDEOS = 10, 5  # to be named one by one


def left_out_facts(paths: Sequence[Path]) -> dict[str, str]:
    """Say which videos are of a kind that is not read; other files are nobody's loss.

    Parameters
    ----------
    paths : sequence of Path
        Files that were not looked at.
    """
    suffixes = Counter(path.suffix.lower() for path in paths if path.suffix.lower() in UNREAD_SUFFIXES)
    if not suffixes:
        return {}
    n_files = suffixes.total()
    return {
        "not looked at": f"{n_files} {'file' if n_files == 1 else 'files'} ({' '.join(sorted(suffixes))}): "
        "videos of such names are not read. Rewrite them with `ffmpeg -i IN OUT.mp4`"
    }


def camera_facts(clips: Sequence[Clip]) -> dict[str, str]:
    """Say how many clips there are of each camera, and which cameras have no normal footage of their own.

    Returns
    -------
    dict of str to str
        Empty where all clips are of one scene.
    """
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


def scan_facts(scans: Mapping[str, VideoScan]) -> dict[str, str]:
    """Say what there is to know of video files: damage, uneven rates, pictures that stand still.

    Parameters
    ----------
    scans : mapping of str to VideoScan
        By the video's name.
    """
    uneven = [name for name, scan in scans.items() if isinstance(scan.rate, UnevenRate)]
    damaged = [f"{name}: {what}" for name, scan in scans.items() for what in scan.damage]
    noted = [f"{name}: {what}" for name, scan in scans.items() for what in scan.notes]
    facts = {"damage": _first(damaged, "; "), "videos": _first(noted, "; ")}
    facts["times"] = f"frames come unevenly in {_first(uneven, ', ')}; their own times are used" if uneven else ""
    return {name: value for name, value in facts.items() if value}


def _first(words: Sequence[str], mark: str) -> str:
    more = f" and {len(words) - MAX_VIDEOS} more" if len(words) > MAX_VIDEOS else ""
    return mark.join(words[:MAX_VIDEOS]) + more
