"""Results of one experiment on disk: collected in memory, written once, whole or not at all.

Layout of a results folder: `scores.parquet` (clip, frame, label, scene and split where known, then one float32
column a score), `metrics.json`, `run.json` (how it came about), `figures/NAME.svg` and `.png`.
"""

import io
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from vadlib.errors import ParameterError, ResultsError
from vadlib.runs import provenance
from vadlib.runs.code_state import dependencies
from vadlib.runs.parameters import notebook_parameters, results_place
from vadlib.runs.results import FORMAT, plain, scores_table, write_json
from vadlib.storage import RunLock, check_replaceable, project_path, project_root, recover_folder, write_folder

OWN_NAMES = ("scores.parquet", "metrics.json", "run.json", "figures")
MAX_SKIPPED_NAMES = 100


class Experiment:
    """Collects what one experiment finds, and writes it with `save`.

    From its making until `save` it holds a lock on `results_dir`, so that two runs cannot mix.

    Parameters
    ----------
    name : str
        The notebook's name, such as `02_padim`.
    results_dir : path-like
        The folder to write; relative to the project's root. An earlier run's results there are replaced by `save`.
    parameters : mapping
        Every parameter of the run, as the notebook got it.
    upstream : iterable of str
        Notebooks whose results it reads, directly or through another.

    Raises
    ------
    BusyError
        Another run is writing there.
    ResultsError
        The folder holds something other than results.
    """

    def __init__(
        self,
        name: str,
        results_dir: str | os.PathLike,
        parameters: Mapping | None = None,
        *,
        upstream: Iterable[str] = (),
    ):
        self.name = name
        self._upstream = tuple(upstream)
        self.path = project_path(results_dir)
        self._started, self._clock = datetime.now(UTC), time.perf_counter()
        self._lock = RunLock(self.path).acquire()
        try:
            recover_folder(self.path)
            check_replaceable(self.path)
            self._parameters = plain(dict(parameters or {}), "parameters")
        except BaseException:
            self._lock.release()
            raise
        self._table: pd.DataFrame | None = None
        self._metrics: dict = {}
        self._facts: dict = {}
        self._stages: dict[str, dict] = {}
        self._figures: dict[str, dict] = {}
        self._attached: dict[str, Callable[[Path], object]] = {}
        self._skipped: dict = {"count": 0, "frames": []}

    @classmethod
    def from_notebook(cls, name: str, namespace: Mapping, *, upstream: Iterable[str] = ()) -> "Experiment":
        """Start a notebook's experiment, from its kernel's names: `Experiment.from_notebook("02_padim", globals())`.

        It has every parameter that the notebook declares, and writes to `results_dir`; where that is the notebook's
        own, a run of other parameters gets a folder beside it, and says so. LayoutError where there is no such
        notebook.
        """
        declared = notebook_parameters(project_path(f"notebooks/{name}.py"))
        given = {key: namespace[key] for key in declared}
        place, why = results_place(declared, given)
        if why:
            print(f"{name}: results go to {place}: {why}", file=sys.stderr)
        return cls(name, place, given | {"results_dir": place}, upstream=upstream)

    @property
    def parameters(self) -> dict:
        """Every parameter of the run."""
        return dict(self._parameters)

    @property
    def started(self) -> str:
        """When it began: ISO 8601, UTC."""
        return self._started.isoformat(timespec="seconds")

    @property
    def seconds(self) -> float:
        """Time since then."""
        return time.perf_counter() - self._clock

    @property
    def stages(self) -> dict[str, dict]:
        """By stage: seconds, and peak memory so far in bytes."""
        return dict(self._stages)

    @contextmanager
    def stage(self, name: str):
        """Time a stage, such as `fit` or `score`; one that is entered again adds up."""
        provenance.synchronize()
        start = time.perf_counter()
        try:
            yield
        finally:
            provenance.synchronize()
            before = self._stages.get(name, {}).get("seconds", 0.0)
            self._stages[name] = {
                "seconds": before + time.perf_counter() - start,
                "peak_host_bytes_so_far": provenance.peak_host_bytes(),
                "peak_device_bytes_so_far": provenance.peak_device_bytes(),
            }

    def scores(self, table: pd.DataFrame, columns: Mapping[str, np.ndarray], *, skipped: Iterable[int] = ()):
        """Take the scores of the test frames; gives the table that will be in `scores.parquet`.

        Parameters
        ----------
        table : DataFrame (n rows)
            `clip`, `frame`, `label`, and `scene` and `split` where known; other columns are left out.
        columns : mapping of str to (n,)
            Score name to scores in the table's order.
        skipped : iterable of int
            Positions in `table` of frames that could not be read. They are left out and counted in `run.json`.

        Raises
        ------
        ParameterError
            A column is missing or of the wrong length, no score is given, or one that was not skipped is not finite.
        """
        self._table, left_out = scores_table(table, columns, skipped)
        names = [[str(clip), int(frame)] for clip, frame in zip(left_out["clip"], left_out["frame"], strict=True)]
        self._skipped = {"count": len(names), "frames": names[:MAX_SKIPPED_NAMES]}
        return self._table.copy()

    def metrics(self, values: Mapping) -> None:
        """Take results for `metrics.json`, in what `plain` puts into JSON; called again, it adds to them."""
        self._metrics |= plain(dict(values), "metrics")

    def record(self, **facts) -> None:
        """Take facts about the run for `run.json`: `dataset=dataset`, `weights=network.provenance` and the like.

        A `VideoDataset` becomes its name, fingerprint, number of clips and facts, and what it lacks and what was left
        out of it, if anything. What `run.json` writes itself is refused (ParameterError), and what `metrics` refuses.
        """
        taken = sorted(set(facts) & {"experiment", "format", "files", "parameters", "stages", "skipped", "figures"})
        if taken:
            raise ParameterError(f"record: {', '.join(taken)} is written by the run itself; use another name.")
        for key, value in facts.items():
            if hasattr(value, "fingerprint") and hasattr(value, "clips"):
                known = {"facts": dict(value.facts)} if getattr(value, "facts", None) else {}
                if getattr(value, "missing", None):
                    known["missing"] = list(value.missing)
                if getattr(value, "left_out", None):
                    known["left_out"] = [clip._asdict() for clip in value.left_out]
                value = {"name": value.name, "fingerprint": value.fingerprint, "n_clips": len(value.clips)} | known
            self._facts[key] = plain(value, key)

    def figure(self, name: str, figure, *, caption: str = "") -> bytes:
        """Take a figure, with a caption that can be read alone, as it is now, as SVG and PNG; gives the SVG.

        Letters that its font lacks are made readable in it. ParameterError where `name` is not a plain file name.
        """
        import matplotlib

        from vadlib.figures import make_readable

        if not _is_plain(name):
            raise ParameterError(f"figure: the name must be a plain file name without ending; got {name!r}.")
        make_readable(figure)
        files = {}
        with matplotlib.rc_context({"svg.hashsalt": f"{self.name}/{name}"}):  # the same figure, the same bytes
            for ending, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
                buffer = io.BytesIO()
                figure.savefig(buffer, format=ending, metadata=metadata, **({"dpi": 150} if ending == "png" else {}))
                files[ending] = buffer.getvalue()
        self._figures[name] = {"caption": caption, "files": files}
        return files["svg"]

    def attach(self, name: str, write: Callable[[Path], object]) -> None:
        """Have `save` write a file or folder of a plain name of its own: `run.attach("detector", detector.save)`."""
        if not _is_plain(name) or name in OWN_NAMES:
            raise ParameterError(f"attach: the name must be a plain file name other than {OWN_NAMES}; got {name!r}.")
        self._attached[name] = write

    def save(self) -> Path:
        """Write the results folder, in one step, let go of the lock, and say where it is.

        Raises
        ------
        ParameterError
            There is nothing to write.
        ResultsError
            It cannot be written (the reason is in the message), or a later `Experiment` took the folder over. What
            was there stays.
        BusyError
            Saved before, and another run has come since.
        """
        if not self._metrics:
            raise ParameterError("save: there are no metrics yet; call metrics(...) first.")
        if self._lock.taken_over:
            raise ResultsError(
                f"A later Experiment in this process took {self.path} over; save that one, or make this one again."
            )
        try:
            write_folder(self.path, self._fill, check=check_replaceable, lock=self._lock)
        except OSError as error:
            raise ResultsError(f"The results could not be written to {self.path}: {error}.") from error
        return self.path

    def _fill(self, folder: Path) -> None:
        if self._table is not None:
            self._table.to_parquet(folder / "scores.parquet", index=False, compression="zstd")
        write_json(folder / "metrics.json", self._metrics)
        for name, figure in self._figures.items():
            (folder / "figures").mkdir(exist_ok=True)
            for ending, content in figure["files"].items():
                (folder / "figures" / f"{name}.{ending}").write_bytes(content)
        for name, write in self._attached.items():
            write(folder / name)
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        write_json(folder / "run.json", self._run() | {"files": files})

    def _run(self) -> dict:
        return {
            "experiment": self.name,
            "format": FORMAT,
            "started": self.started,
            "seconds": self.seconds,
            "parameters": self._parameters,
            "git": provenance.git_revision(project_root() or Path.cwd()),
            "depends_on": dependencies(self.name, upstream=self._upstream),
            "versions": provenance.package_versions(),
            "device": provenance.device_name(),
            "hardware": provenance.hardware(),
            "stages": self._stages,
            "peak_host_bytes": provenance.peak_host_bytes(),
            "peak_device_bytes": provenance.peak_device_bytes(),
            "skipped": self._skipped,
            "figures": {name: figure["caption"] for name, figure in self._figures.items()},
            **self._facts,
        }


def _is_plain(name: str) -> bool:
    return bool(name) and name == Path(name).name and not name.startswith(".")
