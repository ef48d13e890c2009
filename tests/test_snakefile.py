"""What runs again when something changes: Snakemake's own plan, on a copy of the project with nothing to compute.

What each chapter reads, and what its state is, `tests/report/test_contents.py` and `test_changes.py` test in process.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest

from vadlib.report.contents import read_contents

LAST = {"91_provenance", "book"}  # the run table tells of every chapter


@pytest.fixture(scope="module")
def finished(project_root, tmp_path_factory):
    """A copy of the project in which every output of the demo is there and newer than what it is made from."""
    root = tmp_path_factory.mktemp("project")
    for name in ("book", "notebooks", "vadlib"):
        shutil.copytree(project_root / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml", "_toc.yml", "pyproject.toml"):
        shutil.copy(project_root / name, root)
    past = time.time() - 3600
    for path in root.rglob("*"):
        os.utime(path, (past, past))
    planned(root)  # writes down the state that things are in
    out = root / "_build" / "demo"
    for path in out.rglob("*"):
        os.utime(path, (past, past))
    for name in read_contents().names:
        write(out / "notebooks" / f"{name}.ipynb")
        write(out / "results" / name / "run.json")
    for path in ("data/world.json", *(f"done/{name}" for name in read_contents().names), "html/index.html"):
        write(out / path)
    done = snakemake(root, "--touch")
    assert done.returncode == 0, done.stderr
    return root


def write(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")


def snakemake(root, *arguments, **config):
    (root / "config.json").write_text(json.dumps({"profile": "demo"} | config))
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--configfile", "config.json"]
    return subprocess.run([*command, *arguments], cwd=root, capture_output=True, text=True, check=False)


def planned(root):
    """Chapters and other rules that would run now."""
    done = snakemake(root, "--dry-run")
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    rules = set(re.findall(r"^(?:local)?rule (\w+):", text, re.MULTILINE))
    return set(re.findall(r"name=(\w+)", text)) | (rules - {"chapter"})


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_nothing_changed_nothing_runs_and_prose_runs_the_pages_alone(finished):
    assert planned(finished) == set()
    edit(finished / "notebooks/02_padim.py", "a Gaussian for every patch", "one Gaussian for every patch")
    edit(finished / "notebooks/02_padim.py", "with the 95 % band", "with its 95 % band")  # a caption
    assert planned(finished) == {"book"}


def test_code_runs_the_chapter_and_what_reads_it(finished):
    edit(finished / "notebooks/01_dataset.py", "n_events=len(videos.events)", "n_events=len(videos.events) + 1")
    contents = read_contents()
    readers = {name for name in contents.names if "01_dataset" in contents.all_upstream(name)}
    records = {name for name in contents.names if contents[name].reads_records}  # which may be stale now
    after = {name for name in contents.names if records & set(contents.all_upstream(name))}
    assert planned(finished) == {"01_dataset"} | readers | records | after | LAST


def test_the_library_runs_every_chapter(finished):
    path = finished / "vadlib/detectors/padim.py"
    os.utime(path, (time.time() + 5, time.time() + 5))
    assert planned(finished) == {*read_contents().names, "book"}


def test_a_folder_of_ones_own_runs_the_chapters_named_in_its_profile(finished, tmp_path):
    videos = tmp_path / "cam: {gate} #1"
    videos.mkdir()
    (videos / "a.mp4").write_text("a")
    done = snakemake(finished, "--dry-run", "--printshellcmds", profile="folder", dataset_root=str(videos))
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    assert set(re.findall(r"name=(\w+)", text)) == {"30_footage", "91_provenance"}
    assert f"'dataset_root={videos}'" in text


@pytest.mark.parametrize(
    ("given", "passed"), [([], False), (["SKIP_UNREADABLE=0"], False), (["SKIP_UNREADABLE=1"], True)]
)
def test_make_passes_on_that_unreadable_frames_be_left_out(project_root, given, passed):
    command = ["make", "--dry-run", "--assume-old=.venv/.installed", "book", *given]
    done = subprocess.run(command, cwd=project_root, capture_output=True, text=True, check=True)
    assert ("--skip-unreadable" in done.stdout) is passed
    assert (
        "SKIP_UNREADABLE=1" in subprocess.run(["make", "help"], cwd=project_root, capture_output=True, text=True).stdout
    )
