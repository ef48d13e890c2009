"""What a reader of results on a folder of one's own should know of it: `VideoDataset.facts` of `vadlib.data.folder`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from vadlib.data.clip_search import MASK_ENDING
from vadlib.data.dataset import Clip

UNREAD_SUFFIXES = (
    ".m2ts", ".mts", ".m2t", ".3gp", ".3g2", ".flv", ".f4v", ".asf", ".vob", ".ogv", ".mxf", ".rm", ".rmvb", ".divx",
    ".m2v", ".h264", ".264", ".h265", ".265", ".hevc", ".dav",
)  # fmt: skip
MAX_CAMERAS, MAX_VIDEOS = 10, 5  # to be named one by one


def not_looked_at_facts(paths: Sequence[Path], masks: Sequence[Path] = ()) -> dict[str, str]:
    """Say which videos are of a kind that is not read, and which folders are masks; other files are nobody's loss.

    Parameters
    ----------
    paths : sequence of Path
        Files that were not looked at.
    masks : sequence of Path
        Folders that hold masks.
    """
    suffixes = Counter(path.suffix.lower() for path in paths if path.suffix.lower() in UNREAD_SUFFIXES)
    n_files, words = suffixes.total(), []
    if n_files:
        words.append(
            f"{n_files} {'file' if n_files == 1 else 'files'} ({' '.join(sorted(suffixes))}): "
            "videos of such names are not read. Rewrite them with `ffmpeg -i IN OUT.mp4`"
        )
    if masks:
        words.append(
            f"{len(masks)} {'folder' if len(masks) == 1 else 'folders'} of masks ({masks[0].name} beside "
            f"{masks[0].name.removesuffix(MASK_ENDING)})"
        )
    return {"not looked at": "; ".join(words)} if words else {}


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


def timing_facts(uneven: Mapping[str, float]) -> dict[str, str]:
    """Say which videos have no even rate, so that times in them are not what they seem.

    Parameters
    ----------
    uneven : mapping of str to float
        By the video's name, how far its frames are from an even rate at most, in seconds (see `vadlib.data.timing`).
    """
    if not uneven:
        return {}
    listed = [f"{name} (up to {seconds:.1f} s off)" for name, seconds in uneven.items()]
    more = f" and {len(listed) - MAX_VIDEOS} more" if len(listed) > MAX_VIDEOS else ""
    return {
        "times": f"approximate in {', '.join(listed[:MAX_VIDEOS])}{more}: frames come at a variable rate there, and "
        "times count them as if it were even"
    }
