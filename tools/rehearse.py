"""Run the paper's profile at the paper's size, on a stand-in for ShanghaiTech Campus, and measure it.

`make rehearsal` (or `python tools/rehearse.py --scale 0.05` for a try) renders a few clips, lays them out as the
published data set by hard links, with its numbers of clips, scenes, frames and labels, and runs chapters on it with
networks of the real sizes and random weights. What each took is written to `rehearsal.json`: wall and CPU seconds, the
largest process, what it left on the disk. The scores mean nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import yaml

import synthcampus
from vadlib.data.published.official import COUNTS
from vadlib.data.reading.batches import available_cores
from vadlib.data.reading.scanning import CACHE
from vadlib.environment import clean_environment
from vadlib.report.notebooks import read_profile_file
from vadlib.runs.results import read_json
from vadlib.storage import project_root

OFFICIAL = COUNTS["shanghaitech"]
SIZE, FPS = (480, 856), 24.0
OWN = ("01_dataset", "02_padim", "03_gradcam_ssim", "05_spade", "04_clip_prototypes")  # what the paper itself reports
NETWORKS = dict.fromkeys(("backbone", "classifier"), "resnet18:random") | {"embedder": "clip_vision:random-vit-b-32"}
COUNTED = ("n_fit", "n_test", "max_frames")  # what parameters begin with that count frames
FEWEST_FRAMES = 100  # more than the paper's profile has neighbours or prototypes


def main() -> None:
    """Lay the data out, run the chapters, write the record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scale", type=float, nargs="+", default=[1.0], help="shares of clips and frames, 1: all")
    parser.add_argument("--out", type=Path, default=project_root() / "_build" / "rehearsal", help="folder to work in")
    parser.add_argument("--chapters", nargs="+", default=OWN, help="in the order to run them in")
    parser.add_argument("--clip-frames", type=int, help="about so many frames a clip, instead of the official number")
    given = parser.parse_args()
    record_path = given.out / "rehearsal.json"
    record = {"machine": {"processor": processor_name(), "cores": available_cores()}, "runs": {}}
    for scale in given.scale:
        if not 0 < scale <= 1:
            parser.error("--scale: expected a share above 0, at most 1")
        root = given.out / f"data-{scale:g}"
        counts = lay_out(root, given.out / "sources", scale, given.clip_frames)
        run = record["runs"][f"{scale:g}"] = {"data": counts, "chapters": {}}
        profile = write_profile(given.out / f"paper-{scale:g}.yml", root, scale)
        for name in given.chapters:
            run["chapters"][name] = found = run_chapter(name, profile, given.out / f"results-{scale:g}")
            print(f"{name} at {scale:g}: " + ", ".join(f"{key} {found[key]:,.0f}" for key in found if key != "stages"))
            run["total"] = {key: sum(each[key] for each in run["chapters"].values()) for key in ("wall_s", "cpu_s")}
            run["peak_bytes"] = max(each["peak_bytes"] for each in run["chapters"].values())
            record["growth"] = growth(record["runs"])
            record_path.write_text(json.dumps(record, indent=2) + "\n")
    print(f"the record is {record_path}")


def spread(total: int, parts: int) -> list[int]:
    """A whole number in so many parts as equal as can be, the larger ones first."""
    return [total // parts + (i < total % parts) for i in range(parts)]


def lay_out(root: Path, sources: Path, scale: float, clip_frames: int | None = None) -> dict[str, int]:
    """Make the data set from two rendered clips of each split; gives its counts.

    At scale 1 clips, frames and anomalous frames are as many as the published ones.
    """
    shutil.rmtree(root, ignore_errors=True)
    counts = dict.fromkeys(("train_clips", "train_frames", "test_clips", "test_frames", "anomalous_frames"), 0)
    train_frames = spread(OFFICIAL.train_frames, OFFICIAL.train_clips)
    test_frames = spread(OFFICIAL.test_frames, OFFICIAL.test_clips)
    anomalous = spread(min(OFFICIAL.anomalous), OFFICIAL.test_clips)
    if clip_frames:
        train_frames, test_frames = [clip_frames] * OFFICIAL.train_clips, [clip_frames] * OFFICIAL.test_clips
        anomalous = [clip_frames // 2] * OFFICIAL.test_clips
    for folder in ("training/videos", "testing/frames", "testing/test_frame_mask", "testing/test_pixel_mask"):
        (root / folder).mkdir(parents=True)
    for i in chosen(OFFICIAL.train_clips, scale):
        world = rendered(sources, train_frames[i])
        video = next((world / "training/videos").iterdir())
        os.link(video, root / f"training/videos/{clip_name(OFFICIAL.train_scenes, i, 3)}.avi")
        counts["train_clips"] += 1
        counts["train_frames"] += train_frames[i]
    for i in chosen(OFFICIAL.test_clips, scale):
        name, n_frames = clip_name(OFFICIAL.test_scenes, i, 4), test_frames[i]
        folder = next((rendered(sources, max(train_frames[0], n_frames)) / "testing/frames").iterdir())
        (root / "testing/frames" / name).mkdir()
        for picture in sorted(folder.iterdir())[:n_frames]:
            os.link(picture, root / "testing/frames" / name / picture.name)
        for kind, path in made_labels(sources, n_frames, anomalous[i]).items():
            os.link(path, root / "testing" / kind / f"{name}.npy")
        counts["test_clips"] += 1
        counts["test_frames"] += n_frames
        counts["anomalous_frames"] += anomalous[i]
    return counts


def chosen(n_clips: int, scale: float) -> list[int]:
    """Which of the official clips there are, spread over all scenes; at least one a fold."""
    return np.unique(np.linspace(0, n_clips - 1, max(6, round(n_clips * scale))).round().astype(int)).tolist()


def clip_name(scenes: tuple[int, ...], index: int, digits: int) -> str:
    """ShanghaiTech's name of its clip `index`, by how many clips each scene has."""
    ends = np.cumsum(scenes)
    scene = int(np.searchsorted(ends, index, side="right"))
    return f"{scene + 1:02d}_{index - (ends[scene] - scenes[scene]) + 1:0{digits}d}"


def rendered(sources: Path, n_frames: int) -> Path:
    """A small world whose clips have this many frames, rendered once for each revision of the renderer."""
    code = b"".join(path.read_bytes() for path in sorted(Path(synthcampus.__file__).parent.glob("*.py")))
    seconds = n_frames / FPS
    return synthcampus.write_world(
        sources / f"{n_frames}-{hashlib.sha256(code).hexdigest()[:8]}",
        n_train_clips=1,
        n_test_clips=1,
        n_scenes=1,
        clip_seconds=(seconds, seconds),
        fps=FPS,
        size=SIZE,
    )


def made_labels(sources: Path, n_frames: int, n_anomalous: int) -> dict[str, Path]:
    """Frame and pixel masks of a clip whose middle frames are anomalous, in a box; made once."""
    folder = sources / f"labels-{n_frames}-{n_anomalous}"
    paths = {kind: folder / f"{kind}.npy" for kind in ("test_frame_mask", "test_pixel_mask")}
    if not all(path.is_file() for path in paths.values()):
        folder.mkdir(parents=True, exist_ok=True)
        labels, first = np.zeros(n_frames, np.uint8), (n_frames - n_anomalous) // 2
        labels[first : first + n_anomalous] = 1
        shape = (n_frames, *SIZE)
        pixels = np.lib.format.open_memmap(paths["test_pixel_mask"], "w+", np.uint8, shape)  # sparse
        pixels[labels == 1, SIZE[0] // 2 : SIZE[0] // 2 + 60, SIZE[1] // 2 : SIZE[1] // 2 + 40] = 1
        pixels.flush()
        np.save(paths["test_frame_mask"], labels)
    return paths


def write_profile(path: Path, root: Path, scale: float) -> Path:
    """The paper's profile for this data: counts of frames go with the scale, networks have random weights."""
    values = read_profile_file(project_root() / "notebooks" / "profiles" / "paper.yml")
    path.write_text(yaml.safe_dump(scaled(values, scale) | NETWORKS | {"dataset_root": str(root.absolute())}))
    return path


def scaled(values: dict, scale: float) -> dict:
    """Counts of frames by the scale, in a chapter's section, too."""

    def changed(name: str, value):
        if isinstance(value, dict):
            return scaled(value, scale)
        if isinstance(value, list):
            return [changed(name, each) for each in value]
        if isinstance(value, int) and name.startswith(COUNTED):
            return max(FEWEST_FRAMES, round(value * scale))
        return value

    return {name: changed(name, value) for name, value in values.items()}


def run_chapter(name: str, profile: Path, results: Path) -> dict:
    """Run a chapter in processes of its own; gives what it took."""
    source, page = project_root() / "notebooks" / f"{name}.py", results.parent / f"{results.name}-{name}.ipynb"
    command = [sys.executable, "-m", "vadlib.report.notebooks", str(source), str(page), "--profile", str(profile)]
    kept = Path(clean_environment()[CACHE])
    before, start = disk_bytes(kept), time.perf_counter()
    process = subprocess.Popen([*command, "--results-root", str(results)], env=clean_environment())
    _, status, usage = os.wait4(process.pid, 0)  # of the process and all that it waited for
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{name} failed (see above)")
    return {
        "wall_s": time.perf_counter() - start,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "peak_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        "disk_bytes": disk_bytes(results / name) + disk_bytes(kept) - before,
        "stages": read_json(results / name / "run.json")["stages"],
    }


def disk_bytes(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def growth(runs: dict) -> dict[str, float]:
    """By chapter: the power of the scale that its CPU seconds grow with, smallest to largest; 1: linear."""
    scales = sorted(runs, key=float)
    least, most = runs[scales[0]]["chapters"], runs[scales[-1]]["chapters"]
    ratio = math.log(float(scales[-1]) / float(scales[0]))
    both = [name for name in least if name in most]
    return {name: math.log(most[name]["cpu_s"] / least[name]["cpu_s"]) / ratio for name in both} if ratio else {}


def processor_name() -> str:
    """What the machine computes with."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()
