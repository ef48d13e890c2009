"""What `make bench-gpu` wrote on a machine with a GPU, as a recorded run, and as a section of the page of those.

The machine may have neither the book's packages nor git. So the file says by digests which code it ran, and is taken
only by a project that has just that code, committed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from vadlib.errors import ResultsError
from vadlib.report.machine_paths import without_machine_paths
from vadlib.report.records.recorded import Recorded, load_recorded, recorded_name
from vadlib.runs import provenance
from vadlib.runs.code_state import changed_parts
from vadlib.runs.provenance import RECORDED_DIR
from vadlib.runs.results import FORMAT, plain, read_json, write_json
from vadlib.storage import RunLock, check_replaceable, project_path, project_root, replace_folder

PROFILE = "gpu"
KIND, KNOWN_FORMAT = "vadlib gpu benchmark", 1
COMMAND = "make bench-gpu"
KEPT = ("started", "seconds", "device", "device_memory_bytes", "cuda", "hardware", "versions")
FACTS = (*KEPT, "depends_on", "sections", "failed", "passed", "quick")


def record_gpu(file: str | Path, *, allow_dirty: bool = False) -> Path:
    """Keep the file that `make bench-gpu` wrote in `book/recorded/gpu-DEVICE`; gives that folder.

    ResultsError where the file is not whole, a piece of it broke off, it tried the script alone (``--quick``), or other
    code wrote it than this project has. Scores that are not the CPU's are no error: the record says so.
    """
    from vadlib.report.records.recording import check_revision

    check_revision(allow_dirty)
    found = _checked(Path(file))
    git = provenance.git_revision(project_root() or Path.cwd())
    name = re.sub(r"[^a-z0-9]+", "-", found["device"].lower()).strip("-")
    folder = project_path(f"{RECORDED_DIR}/{recorded_name(PROFILE, name)}")
    run = {
        "experiment": "bench-gpu",
        "format": FORMAT,
        **{key: found[key] for key in KEPT},
        "parameters": {"dataset": "frames made on the spot"},
        "git": git,
        "figures": {},
        "files": ["metrics.json"],
        "recorded": {
            "profile": PROFILE,
            "notebook": name,
            "title": "On a GPU",
            "command": COMMAND,
            "depends_on": found["depends_on"],
            "upstream": {},
        },
    }

    def fill(partial: Path) -> None:
        write_json(partial / "metrics.json", without_machine_paths(plain(found["sections"], "sections")))
        write_json(partial / "run.json", without_machine_paths(plain(run, "run")))

    with RunLock(folder):
        check_replaceable(folder)
        replace_folder(folder, fill)
        load_recorded(folder.name)
    return folder


def _checked(path: Path) -> dict:
    if not path.is_file():
        raise ResultsError(f"record: no file {path}; `{COMMAND}` on a machine with a GPU writes one")
    found = read_json(path)
    lacking = [key for key in FACTS if key not in found]
    if found.get("kind") != KIND or found.get("format") != KNOWN_FORMAT or lacking:
        stopped = f"it lacks {', '.join(lacking)}: the run was stopped"
        what = stopped if found.get("kind") == KIND else "it is another file"
        raise ResultsError(f"record: {path} is not what `{COMMAND}` writes ({what}); run that again on the GPU")
    if found["quick"]:
        raise ResultsError(f"record: {path} tried the script alone, on tiny sizes (--quick); leave that out")
    broken = [name for name in found["failed"] if not _is_measured(found["sections"], name)]
    if broken:
        raise ResultsError(
            f"record: in {path}, {len(broken)} pieces broke off ({'; '.join(broken[:3])}); mend them, "
            "or give --seconds more where time was over, and run it again"
        )
    changed = changed_parts(found["depends_on"])
    if changed or not found["depends_on"] or None in found["depends_on"].values():
        raise ResultsError(
            f"record: {path} was written by other code than this project's ({', '.join(changed) or 'none is named'} "
            f"differ); check out the revision that ran, or run `{COMMAND}` again with this one"
        )
    return found


def _is_measured(sections: Mapping, failed: str) -> bool:
    """Whether a piece that failed was measured, and only its agreement is out of tolerance."""
    section, _, piece = failed.partition(": ")
    return sections.get(section, {}).get(piece, {}).get("passed") is False


def gpu_tables(record: Recorded) -> str:
    """The device, agreement with the CPU, speed and the paper's workload, as MyST."""
    sections = record.metrics
    parts = [
        myst_table(
            ["beside float32 on the CPU", "largest difference, of the spread", "rank correlation", "within tolerance"],
            _agreement(sections),
        ),
        myst_table(["frames per second", "fit", "score", "score, lowest to highest", "memory, GiB"], _speeds(sections)),
        myst_table(["the paper's workload, extrapolated", "seconds in all"], _paper(sections)),
    ]
    formulas = {entry["formula"] for entry in sections.get("paper", {}).values() if "formula" in entry}
    return "\n\n".join([_device(record.run), *(part for part in parts if part), *sorted(formulas)])


def myst_table(titles: list[str], rows: Iterable[list[str]]) -> str:
    """A table as MyST has it; empty where there is no row."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if len(lines) > 2 else ""


def _device(run: Mapping) -> str:
    on_gpu = run.get("device_memory_bytes") is not None  # earlier records lack it
    more = f", {run['device_memory_bytes'] / 2**30:.0f} GiB, CUDA {run['cuda']}" if on_gpu else ""
    return f"Measured on {run['device']}{more}."


def _agreement(sections: Mapping) -> Iterator[list[str]]:
    for name, entry in sections.get("agreement", {}).items():
        compared = [part for part in [*entry.values(), *entry.get("outputs", {}).values()] if _is_comparison(part)]
        if compared:
            worst = max(part["share_of_spread"] for part in compared)
            lowest = min(part["rank_correlation"] for part in compared)
            beyond = [output for output, part in entry.get("outputs", {}).items() if not part["passed"]]
            within = "yes" if entry["passed"] else f"no: {', '.join(beyond)}" if beyond else "no"
            yield [name, f"{worst:.1e}", f"{lowest:.4f}", within]


def _is_comparison(part) -> bool:
    return isinstance(part, Mapping) and "rank_correlation" in part


def _speeds(sections: Mapping) -> Iterator[list[str]]:
    for name, entry in sections.get("speed", {}).items():
        if "score" in entry:
            fit, score = (entry[what]["frames_per_second"] for what in ("fit", "score"))
            peaks = [entry[what].get("peak_device_bytes") for what in ("fit", "score")]
            memory = "" if None in peaks else f"{max(peaks) / 2**30:.1f}"
            spread = f"{score['low']:,.0f} to {score['high']:,.0f}"
            yield [name, f"{fit['median']:,.0f}", f"{score['median']:,.0f}", spread, memory]
    for entry in sections.get("decoding", {}).values():
        yield ["decoding, on the host", "", f"{entry['frames_per_second']['median']:,.0f}", "", ""]


def _paper(sections: Mapping) -> Iterator[list[str]]:
    for name, entry in sections.get("paper", {}).items():
        yield [name, f"{entry['total_seconds']:,.0f}"]
