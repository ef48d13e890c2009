"""Fixtures that every part of the tests shares."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from filelock import FileLock

from synthcampus import write_world

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FIRST = ("test_book", "test_folder_book", "test_interruption", "test_cli", "test_environment", "test_hub")

os.environ["MPLBACKEND"] = "Agg"  # whatever the user draws with
# The tests are of the CPU's numbers, and pretend GPUs of their own; `make bench-gpu` is what tries a real one.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
if "PYTEST_XDIST_WORKER" in os.environ:  # threads of several processes would fight for the cores
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

try:
    from hypothesis import settings
except ImportError:  # some tests run on machines that have the library's own dependencies alone
    pass
else:  # how long an example takes says more about the machine than about the code
    settings.register_profile("vadlib", deadline=None)
    settings.load_profile("vadlib")


def pytest_collection_modifyitems(items):
    """What takes longest begins first: with several processes nothing long is left for the end."""
    place = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


def _shared(name: str) -> Path:
    folder = ROOT.parent / "shared" / name
    if not folder.is_dir():
        pytest.skip(f"needs real data in ../shared/{name}, which is not on this machine")
    return folder


@pytest.fixture(scope="session")
def project_root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets (UCSD Ped2, ShanghaiTech's masks); the test skips where they are not there."""
    return _shared("data")


@pytest.fixture(scope="session")
def shared_weights() -> Path:
    """Real network weights; the test skips where they are not there."""
    return _shared("weights")


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory):
    """A small demo world: two scenes, eight clips of some seconds; written once for all processes, not to be changed."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tiny_world" / "data"
    parameters = {"n_train_clips": 2, "n_test_clips": 6, "n_scenes": 2, "seed": 5, "clip_seconds": (5, 6)}
    root.parent.mkdir(exist_ok=True)
    with FileLock(root.parent / "lock"):
        return write_world(root, **parameters, progress=False)


@pytest.fixture(scope="session")
def _warm_environment():
    from vadlib.environment import clean_environment
    from vadlib.report.warm import warm_process

    with warm_process(clean_environment()) as environment:
        yield environment


@pytest.fixture(scope="module")
def warm_kernels(_warm_environment):
    """This module's notebooks and pages are made in forks of one process, as in `make book`."""
    from vadlib.report.warm import SOCKET

    with pytest.MonkeyPatch.context() as patch:
        if SOCKET in _warm_environment:
            patch.setenv(SOCKET, _warm_environment[SOCKET])
        yield


NOTEBOOK = """\
# %% [markdown]
# # A chapter

# %% tags=["parameters"]
seed = 0  # of the draw
epsilon = 0.01  # on the diagonal
label = "max"  # score column
n_test: int | None = None  # frames; None: all
upstream_dir = "_build/manual"  # the others' results

# %%
from pathlib import Path

print("ran with", seed, epsilon, label, n_test, "in", Path.cwd().name)

# %%
if seed == 13:
    raise ValueError("an unlucky seed")
"""

OTHER = """\
# %% tags=["parameters"]
n_prototypes = 100  # of each class
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project: two notebooks and a profile for both; the working directory is its root."""
    for name in ("_toc.yml", "pyproject.toml"):
        (tmp_path / name).touch()
    (tmp_path / "notebooks" / "profiles").mkdir(parents=True)
    (tmp_path / "notebooks" / "02_padim.py").write_text(NOTEBOOK)
    (tmp_path / "notebooks" / "04_other.py").write_text(OTHER)
    (tmp_path / "notebooks" / "profiles" / "demo.yml").write_text("epsilon: 1\nn_prototypes: 5\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def python():
    """Run a program in another process; gives its CompletedProcess."""

    def run(*arguments, **options):
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)

    return run


@pytest.fixture
def vadlib(monkeypatch, capsys):
    """Run the command `vadlib` in this process; gives its exit code and what it wrote."""
    from vadlib import cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["vadlib", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        written, code = capsys.readouterr(), end.value.code
        if isinstance(code, str):  # what `sys.exit` writes, and then ends with 1
            return 1, written.out, written.err + code
        return code, written.out, written.err

    return run


@pytest.fixture
def background():
    """Start Python code in another process and wait for its first line; killed at the end."""
    started = []

    def start(code, **options):
        command = [sys.executable, "-c", textwrap.dedent(code)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
        started.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
