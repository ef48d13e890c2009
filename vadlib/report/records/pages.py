"""How recorded runs are shown: a table of all of them, and for each its main numbers and its main figure, as MyST."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from vadlib.evaluation import Interval
from vadlib.report.records.gpu import PROFILE, gpu_tables, myst_table
from vadlib.report.records.recorded import Recorded
from vadlib.report.words.common import DATASET_NAMES
from vadlib.runs.provenance import RECORDED_DIR

# The figure that answers a notebook's question; of others, the first that was recorded.
MAIN_FIGURES = {
    "02_padim": "roc",
    "03_gradcam_ssim": "roc",
    "04_clip_prototypes": "protocols",
    "21_claims": "forest",
    "25_choices": "spans",
    "28_networks": "networks",
    "22_labels_alone": "blind",
}
N_MAIN_NUMBERS = 12
FROM_PAGE = f"../{RECORDED_DIR}"  # from a chapter to the recorded folders
_AUROC = ("micro_auroc_interval", "micro_auroc", "trials")  # of which the intervals are AUROCs
_UNSAID = (*_AUROC, "scores", "frame_scores")  # words that a label does without


def recorded_table(records: Iterable[Recorded]) -> str:
    """A row a run: what, data set, frames, date, revision, device, state, command, as a MyST table."""
    rows = [
        [
            f"[{_cell(found.title)}](#recorded-{found.name})",
            f"`{found.profile}`",
            dataset_name(found),
            _frames(found.metrics),
            found.date,
            found.revision,
            _cell(str(found.run["device"])),
            "**stale**" if found.is_stale else "up to date",
            f"`{found.command}`",
        ]
        for found in records
    ]
    titles = ["run", "profile", "data set", "test frames", "date", "revision", "device", "state", "command"]
    return myst_table(titles, rows) or "No run is recorded in this copy of the project."


def recorded_section(record: Recorded) -> str:
    """A run's heading, line, main numbers, main figure and downloads, as MyST for a page in `notebooks/`."""
    heading = f"(recorded-{record.name})=\n## {record.title}: {dataset_name(record)}, profile {record.profile}"
    line = record.line[0].upper() + record.line[1:] + "."
    numbers = gpu_tables(record) if record.profile == PROFILE else _numbers(record)
    parts = [heading, line, numbers, _figure(record), _downloads(record)]
    return "\n\n".join(part for part in parts if part)


def main_numbers(metrics: Mapping) -> list[tuple[str, Interval]]:
    """The intervals of a `metrics.json`, the headline first, each with what it is in words."""
    found = list(_intervals(metrics))
    return sorted(found, key=lambda entry: entry[0] != "micro AUROC")


def main_figure(record: Recorded) -> str | None:
    """Name of the figure that answers the notebook's question; None where no figure was recorded."""
    names = list(record.run["figures"])
    wanted = MAIN_FIGURES.get(record.notebook)
    return wanted if wanted in names else next(iter(names), None)


def dataset_name(record: Recorded) -> str:
    """The data set in words."""
    dataset = record.run.get("dataset") or {"name": record.run["parameters"].get("dataset", "not said")}
    return DATASET_NAMES.get(dataset["name"], dataset["name"])


def stale_sentence(records: Sequence[Recorded]) -> str:
    """How many runs there are, and which of them are stale."""
    stale = [record.name for record in records if record.is_stale]
    which = f": {', '.join(stale)}" if stale else ""
    return (
        f"{len(records)} run(s) are recorded, of which {len(stale)} came from code or parameters that have changed "
        f"since{which}"
    )


def _intervals(metrics: Mapping, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Interval]]:
    for name, value in metrics.items():
        if not isinstance(value, Mapping):
            continue
        here = (*path, name)
        if {"estimate", "low", "high"} <= set(value) and None not in (value["estimate"], value["low"], value["high"]):
            words = ": ".join(word.replace("_", " ") for word in here if word not in _UNSAID)
            if {here[-1], *here[-2:-1]} & set(_AUROC):
                words = f"micro AUROC, {words}" if words else "micro AUROC"
            bounds = {key: value[key] for key in ("estimate", "low", "high", "level") if key in value}
            yield words, Interval(**bounds)
        yield from _intervals(value, here)


def _numbers(record: Recorded) -> str:
    numbers = main_numbers(record.metrics)
    rows = [[_cell(what), _in_words(what, interval)] for what, interval in numbers[:N_MAIN_NUMBERS]]
    table, rest = myst_table(["what", "value [95 % interval]"], rows), len(numbers) - N_MAIN_NUMBERS
    return table if rest <= 0 else f"{table}\n\n{rest} more are in its metrics."


def _in_words(what: str, interval: Interval) -> str:
    is_difference = any(word in what for word in ("minus", "gain", "difference"))
    return f"{interval:+.3f}" if is_difference else f"{interval:.3f}"


def _figure(record: Recorded) -> str:
    name = main_figure(record)
    if name is None:
        return ""
    caption = record.run["figures"][name] or f"{record.title}: {name}."
    return "\n".join(
        [
            f"```{{figure}} {FROM_PAGE}/{record.name}/figures/{name}.svg",
            f":name: fig-recorded-{record.name}",
            f":alt: Figure of the recorded run {record.name}: {caption}",
            ":width: 80%",
            "",
            f"{caption} Recorded: {dataset_name(record)}, profile {record.profile}, {record.date}.",
            "```",
        ]
    )


def _downloads(record: Recorded) -> str:
    named = {"metrics.json": "metrics", "run.json": "run record", "scores.parquet": "scores"}
    files = [name for name in named if (record.path / name).is_file()]
    links = [f"{{download}}`{named[name]} <{FROM_PAGE}/{record.name}/{name}>`" for name in files]
    links += [
        f"{{download}}`{name} as SVG <{FROM_PAGE}/{record.name}/figures/{name}.svg>`" for name in record.run["figures"]
    ]
    return f"Downloads: {' · '.join(links)}"


def _frames(metrics: Mapping) -> str:
    count = metrics.get("n_frames")
    return f"{count:,}" if isinstance(count, int) else "see the run"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
