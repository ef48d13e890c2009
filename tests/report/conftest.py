import subprocess
import sys
import textwrap

import pytest

NOTEBOOK = """\
# %% [markdown]
# # A chapter

# %% tags=["parameters"]
seed = 0  # of the draw
epsilon = 0.01  # on the diagonal
label = "max"  # score column
n_test: int | None = None  # frames; None: all
results_dir = "_build/manual/02_padim"  # results go here

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
