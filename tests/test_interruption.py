"""SIGINT and SIGKILL at random moments: the next run finishes with the bytes of an undisturbed one.

Compared byte for byte: frames, scores, metrics, figures, fitted detectors, videos, a written world. Of a cache of
embeddings, which is cut into files by who wrote them when, the rows are compared. Not compared: the records of a run
(`run.json`), which hold its times.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pytest
import yaml
from safetensors.numpy import load_file
from tiny_book import tiny_profile

from synthcampus import write_world

TIMES = {"run.json"}
JOBS = ("extraction", "embedding", "experiment", "saved_detector", "scoring", "world")
N_KILLS, N_LONG = 2, 40
PARALLEL = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def small_world(tmp_path_factory):
    """Two scenes, five clips of 24 to 36 small frames."""
    root = tmp_path_factory.mktemp("interrupted") / "world"
    return write_world(
        root, n_train_clips=2, n_test_clips=3, n_scenes=2, seed=3, clip_seconds=(2, 3), size=(120, 160), progress=False
    )


class Server:
    """`interrupted_jobs.py` at work."""

    def __init__(self, world: Path):
        script = Path(__file__).with_name("interrupted_jobs.py")
        path = os.pathsep.join([str(script.parents[1]), os.environ.get("PYTHONPATH", "")])
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(world)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | PARALLEL | {"PYTHONPATH": path},
        )
        assert self._answer() == "ready"

    def _answer(self) -> str:
        return self.process.stdout.readline().strip()

    def _tell(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def start(self, job: str, out: Path) -> int:
        """Begin a job; gives its process."""
        out.mkdir(parents=True, exist_ok=True)
        self._tell(json.dumps({"job": job, "out": str(out)}))
        return int(self._answer())

    def wait(self) -> int:
        """Exit status of the first job begun and not yet waited for."""
        self._tell("")
        return int(self._answer())

    def run(self, job: str, out: Path, *, kill: signal.Signals | None = None, after_s: float = 0) -> int:
        """Do a job, or begin it and interrupt it; gives its exit status."""
        process = self.start(job, out)
        timer = Timer(120 if kill is None else after_s, os.kill, (process, kill or signal.SIGKILL))
        timer.start()
        status = self.wait()
        timer.cancel()
        timer.join()
        return status


@pytest.fixture(scope="module")
def server(small_world):
    server = Server(small_world)
    yield server
    server.process.stdin.close()
    server.process.wait(30)
    server.process.stdout.close()


@pytest.fixture(scope="module")
def undisturbed(server, tmp_path_factory):
    """What each job writes when it is left alone, and how long it takes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    seconds = {}
    for job in JOBS:
        start = time.perf_counter()
        assert server.run(job, folder / job) == 0
        seconds[job] = time.perf_counter() - start
    return folder, seconds


def contents(out: Path) -> dict:
    """Every file by name, hidden ones, too: nothing may be left over. Records of times and caches by what they say."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.suffix == ".safetensors" and "cache" in path.parts:
            found.setdefault("cached rows", {}).update(cached_rows(path))
        elif path.is_file():
            found[name] = "a record" if path.name in TIMES else path.read_bytes()
    return found


def cached_rows(path: Path) -> dict:
    shard = load_file(path)
    names = json.loads(shard["clip_names"].tobytes())
    rows = zip(shard["clip_numbers"], shard["frames"], shard["embeddings"], strict=True)
    return {(names[clip], int(frame)): row.tobytes() for clip, frame, row in rows}


def interrupt(server, job, out, seconds, rng, n_kills) -> list[int]:
    """Interrupt a job some times, then let it finish; gives the exit statuses."""
    statuses = []
    while len(statuses) < n_kills:
        kill = rng.choice([signal.SIGINT, signal.SIGKILL])
        status = server.run(job, out, kill=kill, after_s=rng.random() * seconds)
        assert status in (0, 130, -signal.SIGKILL), f"{job} ended with {status} after {kill.name}"
        if status == 0 and not any(statuses) and seconds > 0.01:  # it was quicker than before: again, and sooner
            shutil.rmtree(out)
            seconds /= 2
        else:
            statuses.append(status)
    statuses.append(server.run(job, out))
    return statuses


def check_interrupted(server, undisturbed, job, folder, seed, n_kills):
    expected, seconds = undisturbed
    if job == "scoring":
        shutil.copytree(expected / "saved_detector", folder / "saved_detector")
    statuses = interrupt(server, job, folder / job, seconds[job], random.Random(f"{job} {seed}"), n_kills)
    assert statuses[-1] == 0
    found, wanted = contents(folder / job), contents(expected / job)
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert found[name] == wanted[name], name
    return statuses


@pytest.mark.parametrize("job", JOBS)
def test_interrupted(server, undisturbed, job, tmp_path):
    statuses = check_interrupted(server, undisturbed, job, tmp_path, 0, N_KILLS)
    assert set(statuses) != {0}, "no interruption came in time"


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 9))
@pytest.mark.parametrize("job", JOBS)
def test_interrupted_often(server, undisturbed, job, seed, tmp_path):
    check_interrupted(server, undisturbed, job, tmp_path, seed, N_LONG // 8)


@pytest.mark.parametrize("job", ["extraction", "experiment", "embedding", "world"])
def test_two_at_once(server, undisturbed, job, tmp_path):
    """The second says that it must wait, or works apart; what is there in the end is whole."""
    expected, _ = undisturbed
    for _ in range(2):
        server.start(job, tmp_path / job)
    statuses = {server.wait() for _ in range(2)}
    assert 0 in statuses
    assert statuses <= {0, 3}  # 3: BusyError
    assert contents(tmp_path / job) == contents(expected / job)


@pytest.fixture
def clone(tmp_path, project_root):
    """A copy of the project, as a clone of it would be."""
    copy = tmp_path / "clone"
    skipped = shutil.ignore_patterns("_build", ".venv", ".git", ".snakemake", "__pycache__", ".*_cache")
    shutil.copytree(project_root, copy, ignore=skipped)
    return copy


class Book:
    """`vadlib book` in a copy of the project."""

    def __init__(self, clone: Path, world: Path):
        self.clone, self.out = clone, clone / "_build/tiny"
        self.root = str(world)
        (clone / "notebooks/profiles/tiny.yml").write_text(yaml.safe_dump(tiny_profile(world)))

    def start(self) -> subprocess.Popen:
        command = [sys.executable, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"]
        command[-1] += "from vadlib.cli import main; main()"
        return subprocess.Popen(
            [*command, "book", "--profile", "tiny", "--root", self.root],
            cwd=self.clone,
            env=os.environ | PARALLEL | {"PYTHONPATH": str(self.clone)},
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def results(self) -> dict[str, bytes]:
        """What does not hold times."""
        kept = ("scores.parquet", "metrics.json")
        files = [path for path in sorted((self.out / "results").rglob("*")) if path.is_file()]
        files = [path for path in files if "91_provenance" not in path.parts]  # which is about times
        files = [path for path in files if path.name in kept or path.suffix == ".svg" or "detector" in path.parts]
        return {path.relative_to(self.out).as_posix(): without_times(path) for path in files}


def without_times(path: Path) -> bytes:
    """A file's bytes; of metrics all but the minutes that the paper's workload would take here, which are measured."""
    if path.name != "metrics.json":
        return path.read_bytes()
    metrics = json.loads(path.read_text())
    metrics.pop("workload_minutes", None)
    return json.dumps(metrics).encode()


@pytest.mark.long
def test_a_whole_book(clone, tiny_world, tmp_path):
    book = Book(clone, tiny_world)
    start = time.monotonic()
    whole = book.start()
    said, _ = whole.communicate(timeout=1500)
    assert whole.returncode == 0, said
    seconds, wanted = time.monotonic() - start, book.results()
    assert len(wanted) > 10
    shutil.rmtree(clone / "_build")
    shutil.rmtree(clone / ".snakemake")
    rng = random.Random(0)
    for number in range(6):
        process = book.start()
        try:
            process.communicate(timeout=5 + rng.random() * seconds / 3)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL if number % 2 else signal.SIGINT)
            process.communicate(timeout=120)
    deadline = time.monotonic() + 1500
    while time.monotonic() < deadline:
        last = book.start()
        said, _ = last.communicate(timeout=1500)
        if "is being written by another run" not in said:
            break
        time.sleep(1)
    assert last.returncode == 0, said
    found = book.results()
    assert found.keys() == wanted.keys()
    for name in wanted:
        assert found[name] == wanted[name], name
    assert (book.out / "html/index.html").is_file()
    left = [path.name for path in book.out.rglob(".*") if path.name.endswith((".partial", ".previous", ".ipynb"))]
    assert left == []
