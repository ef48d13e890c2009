"""What a user has set up on their machine for other work stays outside: environment, dot files, kernels, home, locale."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

import vadlib
from vadlib import environment
from vadlib.environment import clean_environment
from vadlib.errors import ResultsError
from vadlib.report import kernel
from vadlib.report.book import pages_error
from vadlib.report.kernel import KernelError
from vadlib.report.notebooks import run_notebook
from vadlib.report.workflow import bring_up_to_date, own_error

NO_HOME = "/dev/null/home"  # nobody can make a folder there, the superuser neither
TELLS = """\
# %% tags=["parameters"]
seed = 0  # of the draw

# %%
import os, sys
import matplotlib.pyplot as plt

backend, colour = plt.get_backend(), plt.rcParams["figure.facecolor"]
print(sys.executable, backend, colour, sys.getfilesystemencoding(), "shadowed" in sys.modules)
plt.plot([0, 1])
"""


@pytest.fixture
def hostile(tmp_path_factory, monkeypatch):
    """A user's home and environment in which everything that the report runs is set up for something else."""
    home = tmp_path_factory.mktemp("home")
    files = {
        ".ipython/profile_default/startup/00.py": "print('a startup file')",
        ".ipython/profile_default/ipython_config.py": "c.InteractiveShellApp.exec_lines = ['print(\"a config file\")']",
        ".ipython/profile_default/ipython_kernel_config.py": "c.InlineBackend.figure_formats = ['pdf']",
        ".config/matplotlib/matplotlibrc": "figure.facecolor: red\nno.such.key: 1\n",
        ".docutils": "[general]\nlanguage_code: fr\n",
        "kernels/kernels/python3/kernel.json": json.dumps(
            {"argv": ["/gone/python", "-f", "{connection_file}"], "display_name": "gone", "language": "python"}
        ),
        "snakemake/config.yaml": "executor: slurm\njobs: 100\n",
        "modules/pandas.py": "raise ImportError('of another Python')",
        "bash_env": "exit 3",
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    kernels, matplotlib = str(home / "kernels"), str(home / ".config/matplotlib")
    variables = {
        "HOME": str(home),
        "MPLBACKEND": "TkAgg",
        "MPLCONFIGDIR": matplotlib,
        "MATPLOTLIBRC": matplotlib,
        "JUPYTER_PATH": kernels,
        "JUPYTER_DATA_DIR": kernels,
        "JUPYTER_RUNTIME_DIR": NO_HOME,
        "IPYTHONDIR": str(home / ".ipython"),
        "SNAKEMAKE_PROFILE": str(home / "snakemake"),
        "PYTHONPATH": os.pathsep.join([str(home / "modules"), str(Path(vadlib.__file__).parents[1])]),
        "PYTHONWARNINGS": "error",
        "TQDM_MININTERVAL": "soon",
        "BASH_ENV": str(home / "bash_env"),
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return home


def outputs(path):
    """Text and kinds of pictures of a notebook's cells."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    found = [output for cell in cells for output in cell.get("outputs", [])]
    text = "".join("".join(output.get("text", "")) for output in found)
    return text, {kind for output in found for kind in output.get("data", {}) if kind.startswith("image")}


EXPECTED = f"{sys.executable} module://matplotlib_inline.backend_inline white utf-8 False\n", {"image/png"}


def test_a_notebook_runs_in_this_python_as_nobody_has_configured_it(project, hostile):
    (project / "notebooks/02_padim.py").write_text(TELLS)
    (project / "matplotlibrc").write_bytes(b"figure.facecolor: blue\n\xff")
    run_notebook("notebooks/02_padim.py", "page.ipynb")
    assert outputs(project / "page.ipynb") == EXPECTED


def test_papermill_s_own_command_does_so_too(project, hostile, monkeypatch):
    (project / "notebooks/02_padim.py").write_text(TELLS)
    for name in ("PYTHONPATH", "PYTHONWARNINGS", "TQDM_MININTERVAL"):  # of which papermill itself would die
        monkeypatch.delenv(name)
    command = [sys.executable, "-m", "papermill", "jupytext://notebooks/02_padim.py", "out.ipynb", "-p", "seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert outputs(project / "out.ipynb") == EXPECTED
    assert "IPKernelApp" not in done.stderr


def test_weights_stay_where_the_user_has_them(project, monkeypatch):
    for name in ("HF_HOME", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    clean = clean_environment()
    assert (clean["HF_HOME"], clean["TORCH_HOME"]) == ("/home/ada/.cache/huggingface", "/home/ada/.cache/torch")
    assert Path(clean["XDG_CACHE_HOME"]).is_relative_to(project / "_build")
    monkeypatch.setenv("XDG_CACHE_HOME", "/scratch")
    monkeypatch.setenv("HF_HOME", "/models")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    clean = clean_environment()
    assert (clean["HF_HOME"], clean["TORCH_HOME"]) == ("/models", "/scratch/torch")
    assert (clean["HOME"], clean["CUDA_VISIBLE_DEVICES"]) == ("/home/ada", "1")
    for name, value in clean.items():
        monkeypatch.setenv(name, value)
    assert clean_environment() == clean


def test_folders_that_cannot_be_written_have_a_substitute_or_are_named(project, monkeypatch):
    (project / "_build").write_text("a file")
    environment._own_folder.cache_clear()
    assert Path(clean_environment()["MPLCONFIGDIR"]).is_relative_to(tempfile.gettempdir())
    environment._own_folder.cache_clear()
    monkeypatch.setattr(tempfile, "tempdir", NO_HOME)
    with pytest.raises(ResultsError, match=r"Not a directory.*TMPDIR"):
        clean_environment()
    environment._own_folder.cache_clear()


def test_a_user_without_a_name_has_a_home_inside(project, monkeypatch):
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    assert Path(clean_environment()["HOME"]).is_relative_to(project / "_build")


def test_a_kernel_that_does_not_start_is_said_to_be_one(project, monkeypatch):
    clean = clean_environment()
    monkeypatch.setattr(kernel, "clean_environment", lambda: clean)
    monkeypatch.setattr(tempfile, "tempdir", NO_HOME)
    with pytest.raises(
        KernelError, match=r"kernel that runs the notebook could not be started: .*Not a directory.*TMPDIR"
    ):
        run_notebook("notebooks/02_padim.py", "page.ipynb")
    monkeypatch.undo()
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(KernelError, match=r"02_padim.py was not run: Kernel died"):
        run_notebook("notebooks/02_padim.py", "page.ipynb")
    monkeypatch.setattr(sys, "executable", "/gone/python")
    with pytest.raises(KernelError, match=r"could not be started: .*No such file.*/gone/python"):
        run_notebook("notebooks/02_padim.py", "page.ipynb")
    assert not list(project.glob("*.ipynb")) + list(project.glob(".*.ipynb"))


def test_a_kernel_names_the_folder_that_its_sockets_are_in(monkeypatch):
    long = f"/{'long' * 30}"
    monkeypatch.setattr(tempfile, "tempdir", long)

    def full(**options):
        raise OSError(28, "No space left on device", options["dir"])

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    with pytest.raises(KernelError, match=r"needs some kilobytes in /tmp: .*at most 80 bytes") as caught:
        kernel.OwnKernelManager()
    assert long not in str(caught.value)


WATCH = """\
# %% [markdown]
# # Watched

# %% tags=["parameters"]
dataset_root = "nowhere"  # the videos
profile = "tiny"  # the profile
dataset = "mine"  # its data set
backbone = "none"  # its network
results_dir = "_build/manual/30_footage"  # results go here

# %% tags=["hide-input"] mystnb={"figure": {"name": "fig-one", "caption": "A clip."}, "image": {"alt": "A line"}}
import os

import matplotlib.pyplot as plt
import pandas as pd

from vadlib.figures import use_house_style
from vadlib.report import Experiment

use_house_style()
run = Experiment.from_notebook("30_footage", globals())
clip, = sorted(os.listdir(dataset_root))
figure, axes = plt.subplots()
axes.set_title(clip)
run.figure("one", figure)
run.metrics({"n": 1})
run.save();

# %% [markdown]
# {numref}`fig-one` shows it.
"""


@pytest.fixture
def small_book(tmp_path, project_root, monkeypatch):
    """A project whose book is one small notebook: `bring_up_to_date` and Sphinx as they are, nothing to compute."""
    clone, videos = tmp_path / "clone", tmp_path / "日本 🎥"
    for name in ("notebooks/profiles", "book", "vadlib/report"):
        (clone / name).mkdir(parents=True)
    (clone / "Snakefile").write_text((project_root / "Snakefile").read_text())
    for name in ("pyproject.toml", *(f"vadlib/report/{name}.py" for name in ("book", "page", "machine_paths"))):
        (clone / name).touch()
    (clone / "_toc.yml").write_text(
        "format: jb-book\nroot: book/index\nparts: [{caption: x, chapters: [{file: notebooks/30_footage}]}]\n"
    )
    (clone / "_config.yml").write_text('title: x\nonly_build_toc_files: true\nexecute: {execute_notebooks: "off"}\n')
    (clone / "book/index.md").write_text("# A book\n")
    (clone / "book/paper_values.yml").touch()
    (clone / "notebooks/30_footage.py").write_text(WATCH)
    (clone / "notebooks/profiles/tiny.yml").write_text(
        "profile: tiny\nonly: [30_footage]\ndataset: mine\ndataset_root: x\nbackbone: resnet18:random\n"
    )
    videos.mkdir()
    (videos / "猫 प्रवेश 🎥").touch()
    monkeypatch.chdir(clone)
    monkeypatch.setenv("PYTHONPATH", str(project_root))  # not what the clone has of vadlib
    return clone, videos


def make(clone, videos, home=None):
    """`vadlib book`, as make would start it."""
    variables = os.environ | ({"HOME": home} if home else {})
    command = [sys.executable, "-m", "vadlib.cli", "book", "--profile", "tiny", "--root", str(videos), "--cores", "1"]
    return subprocess.run(command, cwd=clone, env=variables, capture_output=True, check=False)


def test_a_book_in_spite_of_everything(small_book, hostile):
    clone, videos = small_book
    done = make(clone, videos, NO_HOME)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    pages = clone / "_build/tiny/html"
    assert f"the report is at {pages / 'index.html'}" in done.stdout.decode()
    page = BeautifulSoup((pages / "notebooks/30_footage.html").read_text(), "html.parser").select_one("article")
    assert page.select_one("figure#fig-one svg, figure#fig-one img")
    assert "Fig. 1 shows it." in page.get_text()
    for machine in ("Warning", str(clone), str(videos), ".py:"):
        assert machine not in page.get_text()


def test_snakemake_s_own_errors_are_told(small_book, capfd):
    clone, videos = small_book
    (clone / ".snakemake").touch()
    with pytest.raises(ResultsError, match="see above"):
        bring_up_to_date("tiny", root=str(videos), cores="1")
    lines = capfd.readouterr().err.splitlines()
    assert lines[-1].startswith("error: Snakemake, which runs the notebooks, stopped: FileExistsError")
    assert len(lines) <= 2
    assert not any("Traceback" in line for line in lines)


RUN = "RuleException:\nCalledProcessError in file \"/x/Snakefile\", line 130:\nCommand 'set -euo pipefail; python' "


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("RuleException", f"{RUN}returned non-zero exit status 1.", None),  # it said why
        ("WorkflowError", "WorkflowError:\nAt least one job did not complete successfully.", None),
        ("KeyboardInterrupt", "Cancelling snakemake on user request.", None),
        (
            "RuleException",
            f"{RUN}returned non-zero exit status 137.",
            "ended with status 137, without a word. .*memory",
        ),
        ("RuleException", f"{RUN}died with <Signals.SIGKILL: 9>.", "was stopped by SIGKILL, without a word"),
        (
            "PermissionError",
            'Traceback (most recent call last):\n\n  File "a.py", line 1, in f\n    g()\n    ^^^\n\n'
            "PermissionError: [Errno 13] Permission denied: '/x'\n",
            "stopped: PermissionError: .Errno 13. Permission denied: '/x'$",
        ),
        (
            "MissingInputException",
            "MissingInputException in rule x:\nMissing input files:\n    output: a.html\n    affected files:\n        b.md",
            "stopped: MissingInputException in rule x: Missing input files: output: a.html affected files: b.md$",
        ),
    ],
)
def test_what_snakemake_says_in_a_sentence(kind, text, expected):
    said = own_error(kind, text)
    assert said is None if expected is None else re.search(expected, said)


def test_what_stops_jupyter_book_is_no_defect_of_the_pages():
    defect = "\x1b[91m/x/a.ipynb:90: WARNING: undefined label: 'fig'\x1b[39;49;00m"
    assert (
        pages_error(f"reading\n{defect}\n") == "the pages have defects:\n/x/a.ipynb:90: WARNING: undefined label: 'fig'"
    )
    crash = (
        'Traceback (most recent call last):\n  File "b.py", line 1, in g\nOSError: [Errno 28] No space left on device'
    )
    crash += (
        "\n\nThe above exception was the direct cause of the following exception:\n\nTraceback ...\nRuntimeError: x"
    )
    expected = "Jupyter Book, which builds the pages, stopped: OSError: [Errno 28] No space left on device"
    assert [pages_error(crash), pages_error(f"{defect}\n{crash}")] == [expected] * 2
    assert pages_error("") == "Jupyter Book, which builds the pages, stopped: it said nothing"


@pytest.mark.parametrize("cores", ["0", "-1", "many", "²", ""])
def test_cores_are_a_number_or_all(small_book, cores):
    with pytest.raises(ValueError, match=f"cores: expected a whole number from 1 on, or all; found '{cores}'"):
        bring_up_to_date("tiny", cores=cores)


def test_a_command_reads_names_in_any_locale_and_leaves_nothing(tmp_path, hostile):
    """Outside the project, with its own folders in the one for temporary files."""
    clip = tmp_path / "vidéo" / "猫.png"
    clip.mkdir(parents=True)
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(clip / "000.png")
    (tmp_path / "tmp").mkdir()
    command = [sys.executable, "-m", "vadlib.cli", "data", "check", str(tmp_path / "vidéo"), "--dataset", "folder"]
    options = {"cwd": tmp_path, "env": os.environ | {"TMPDIR": str(tmp_path / "tmp"), "HOME": NO_HOME}}
    done = subprocess.run(command, capture_output=True, check=False, **options)
    said = (done.stdout + done.stderr).decode()
    assert "Traceback" not in said
    assert "not text in UTF-8" not in said
    assert "vidéo" in said
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_command_that_draws_asks_for_nobody_s_settings(tmp_path, hostile):
    (tmp_path / "matplotlibrc").write_bytes(b"figure.facecolor: blue\n\xff")
    command = [sys.executable, "-m", "vadlib.cli", "score", "x.mp4", "--detector", "absent", "--out", "out"]
    variables = os.environ | {"MPLBACKEND": "nonsense", "HOME": NO_HOME}
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch("error: .*x.mp4 does not exist.*\n", done.stderr)
