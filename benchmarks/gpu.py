"""The library on a GPU: are its scores the CPU's, how fast is it, and what would the paper's workload take?

`make bench-gpu`, or `python benchmarks/gpu.py`: at most six minutes on one large GPU, with nothing to download and nothing
to install but the library's core dependencies. It writes a JSON file after each section; `vadlib record gpu FILE` keeps it
in the project. Without a GPU, `--device cpu --quick` runs every line of it on tiny sizes.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = (
    *("av", "cv2", "joblib", "matplotlib", "numpy", "pandas", "pyarrow", "safetensors", "scipy", "seaborn"),
    *("sklearn", "threadpoolctl", "torch", "torchvision", "tqdm", "transformers", "typer", "yaml"),
)
PARTS = ("benchmarks/gpu.py", "benchmarks/gpu_measures.py", "vadlib/data", "vadlib/networks", "vadlib/detectors")
SHARES = {"agreement": 0.35, "speed": 0.9, "decoding": 0.97, "paper": 1.0}  # of the time, by which each has to end
# Sections 2 and 3 of the paper, as notebooks/profiles/paper.yml has them; frames of ShanghaiTech as published.
PAPER = {"PaDiM": 2000, "Grad-CAM + SSIM": 100, "CLIP prototypes": 4000}  # frames fitted on
PAPER_TESTED, PAPER_DECODED = 8000, 274_515 + 40_791
FORMULA = (
    "For each detector: fit = a + b * frames fitted on, where the line goes through the two fits measured; score = 8,000 / "
    "(frames per second); decoding = all 315,306 frames of ShanghaiTech / (frames decoded per second), an upper bound, as "
    "reading ends at the last frame wanted. CLIP prototypes: fit = 4,000 / (frames scored per second) + K-Means of 4,000 "
    "embeddings as measured. Total = sum over the detectors of fit + score + decoding: decoding counted for each."
)

Say = Callable[[str], None]


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Stop a block by `OutOfTime` once the clock is past the deadline."""
    from gpu_measures import OutOfTime

    def stop(*_):
        raise OutOfTime("its time was over before it ended; give --seconds more")

    left = deadline - time.monotonic()
    if left <= 0:
        stop()
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, left)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Report:
    """The JSON file: written whole after each entry, so that what was measured outlives what fails."""

    def __init__(self, path: Path, facts: dict, say: Say):
        self.path, self.say, self.failed = path, say, []
        self.content = facts | {"sections": {}, "failed": self.failed, "passed": False}

    def attempt(self, section: str, name: str, deadline: float, work: Callable[[], dict]) -> dict | None:
        """Do one piece of a section; what goes wrong is written in its place, and the next piece follows."""
        entries = self.content["sections"].setdefault(section, {})
        start, found = time.monotonic(), None
        try:
            with until(deadline), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = entries[name] = work()
            passed = found.get("passed", True)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            entries[name] = {
                "error": f"{type(error).__name__}: {error}",
                "at": f"{Path(where.filename).name}:{where.lineno}",
            }
            passed = False
        if not passed:
            self.failed.append(f"{section}: {name}")
        took = time.monotonic() - start
        self.say(f"  {name}: {_in_words(entries[name])} ({took:.1f} s)")
        self.write()
        return found

    def write(self) -> None:
        """Replace the file by what is known now."""
        partial = self.path.with_name(f".{self.path.name}.partial")
        partial.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.path)


def _in_words(entry: dict) -> str:
    if "error" in entry:
        return f"FAILED, {entry['error']}"
    if "score" in entry:
        rate, peak = entry["score"]["frames_per_second"], entry["score"]["peak_device_bytes"]
        memory = "" if peak is None else f", {peak / 2**30:.2f} GiB"
        return f"scores {rate['median']:,.0f} frames per second ({rate['low']:,.0f} to {rate['high']:,.0f}){memory}"
    if "frames_per_second" in entry:
        return f"{entry['frames_per_second']['median']:,.0f} frames per second"
    if "total_seconds" in entry:
        return f"{entry['total_seconds']:,.0f} s in all"
    return {True: "passed", False: "FAILED", None: "done"}[entry.get("passed")]


def agreement(report: Report, sizes, device: str, deadline: float) -> None:
    """Every network and detector, in float32 and, where `auto` takes it, in bfloat16, beside float32 on the CPU."""
    import gpu_measures as measures
    import torch

    from vadlib.networks.devices import bfloat16_is_fast

    precisions = ("float32", "bfloat16") if bfloat16_is_fast(torch.device(device)) else ("float32",)
    for precision in precisions:
        for architecture in ("resnet18", "efficientnet_lite0", "clip_vision"):
            if architecture == "efficientnet_lite0" and importlib.util.find_spec("timm") is None:
                continue
            report.attempt(
                "agreement", f"{architecture}, {precision}", deadline,
                lambda a=architecture, p=precision: measures.network_agreement(a, sizes, device, p),
            )  # fmt: skip
    for name in measures.NAMES:
        one: list = []
        made = report.attempt(
            "agreement", f"{name}, on the CPU", deadline, lambda n=name, o=one: _reference(n, sizes, o)
        )
        for precision in precisions if made else ():
            report.attempt("agreement", f"{name}, {precision}", deadline, lambda o=one, p=precision: o[0].on(device, p))


def _reference(name: str, sizes, kept: list) -> dict:
    from gpu_measures import Agreement

    kept.append(Agreement(name, sizes))
    return {"n_fit": kept[0].fit.n_frames, "n_test": kept[0].test.n_frames}


def speeds(report: Report, sizes, device: str, deadline: float) -> None:
    """Frames per second and memory of each detector at each batch size."""
    import gpu_measures as measures

    pool = measures.make_frames(2 * sizes.batches[-1], sizes.image, 0)
    report.attempt("speed", "copy to the device", deadline, lambda: measures.transfer(sizes, device, pool))
    for name in measures.NAMES:
        for batch in sizes.batches:
            report.attempt(
                "speed", f"{name}, batch {batch}", deadline,
                lambda n=name, b=batch: measures.speed(n, sizes, device, b, pool),
            )  # fmt: skip
    report.attempt("speed", "K-Means", deadline, lambda: measures.prototype_seconds(sizes, device))


def decode(report: Report, sizes, device: str, deadline: float) -> None:
    """Videos to frames: the host's work."""
    import gpu_measures as measures

    with tempfile.TemporaryDirectory() as folder:
        report.attempt("decoding", "videos", deadline, lambda: measures.decoding(sizes, Path(folder)))


def paper(report: Report, sizes, device: str, deadline: float) -> None:
    """The paper's workload, by the formula, from what was measured."""
    sections = report.content["sections"]

    def extrapolate(batch: int) -> dict:
        decoding_s = PAPER_DECODED / sections["decoding"]["videos"]["frames_per_second"]["median"]
        parts, total = {}, 0.0
        for name, n_fit in PAPER.items():
            measured = sections["speed"][f"{name}, batch {batch}"]
            rate = measured["score"]["frames_per_second"]["median"]
            few, many = measured["fit_few"], measured["fit"]
            slope = max((many["seconds"] - few["seconds"]) / (many["n_frames"] - few["n_frames"]), 0.0)
            fit = max(many["seconds"] + slope * (n_fit - many["n_frames"]), 0.0)
            if name == "CLIP prototypes":
                fit = n_fit / rate + sections["speed"]["K-Means"]["seconds"]
            parts[name] = {"fit_seconds": fit, "score_seconds": PAPER_TESTED / rate, "decoding_seconds": decoding_s}
            total += sum(parts[name].values())
        return {"detectors": parts, "total_seconds": total, "formula": FORMULA}

    for batch in sizes.batches:
        report.attempt("paper", f"batch {batch}", deadline, lambda b=batch: extrapolate(b))


def facts(device: str, quick: bool, seconds: float) -> dict:
    """Who measured what, with which code: nothing of it depends on git being there."""
    import torch

    from vadlib.runs import provenance
    from vadlib.runs.code_state import part_digests

    on_gpu = torch.device(device).type == "cuda"
    return {
        "kind": "vadlib gpu benchmark", "format": 1, "quick": quick, "seconds_allowed": seconds,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(device) if on_gpu else f"{provenance.hardware()['cpu']} (CPU)",
        "device_memory_bytes": torch.cuda.get_device_properties(device).total_memory if on_gpu else None,
        "cuda": torch.version.cuda if on_gpu else None,
        "hardware": dict(provenance.hardware()), "versions": provenance.package_versions(),
        "depends_on": part_digests(PARTS),
    }  # fmt: skip


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help="auto, cuda, cuda:N or cpu")
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "gpu.json", help="JSON file to write")
    parser.add_argument("--seconds", type=float, default=330, help="time for everything")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: the script is tried, not the device")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run all sections; 0 where everything passed, 1 where something did not, 2 where nothing could be run."""
    start, options = time.monotonic(), parse(arguments)
    missing = [name for name in CORE if importlib.util.find_spec(name) is None]
    if missing:
        print(f"not run: Python {sys.version.split()[0]} at {sys.executable} lacks {', '.join(missing)}; install them")
        return 2
    sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]
    from gpu_measures import QUICK, Sizes

    from vadlib.errors import VadError
    from vadlib.networks import resolve_device

    try:
        device = str(resolve_device(options.device))
    except VadError as error:
        print(f"not run: {error}")
        return 2
    sizes = QUICK if options.quick else Sizes()
    if device == "cpu" and options.device == "auto":
        print(
            "not run: torch sees no GPU here. On one, this would compare every network and detector with the CPU, time fit "
            f"and score at batch {' and '.join(map(str, sizes.batches))}, and work out what the paper's workload takes, in at "
            f"most {options.seconds:.0f} s. To try the script itself: python benchmarks/gpu.py --device cpu --quick"
        )
        return 2
    out = options.out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    os.chdir(ROOT)  # the project whose code is digested
    report = Report(out, facts(device, options.quick, options.seconds), lambda text: print(text, flush=True))
    print(f"on {report.content['device']}; frames are made here and wait in the host's memory", flush=True)
    sections = {"agreement": agreement, "speed": speeds, "decoding": decode, "paper": paper}
    for name, section in sections.items():
        print(f"{name}:", flush=True)
        deadline = start + SHARES[name] * options.seconds
        try:
            section(report, sizes, device, deadline)
        except Exception as error:  # outside its pieces: the other sections go on
            report.failed.append(f"{name}: {type(error).__name__}: {error}")
    report.content |= {"seconds": time.monotonic() - start, "passed": not report.failed}
    report.write()
    print(f"{'passed' if not report.failed else 'FAILED: ' + '; '.join(report.failed)}; written to {out}")
    return 0 if not report.failed else 1


if __name__ == "__main__":
    sys.exit(main())
