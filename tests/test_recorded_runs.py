"""The runs recorded in `book/recorded`: whole, small, without a path of a machine, and true to their scores."""

import re
import socket

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from vadlib.report.records.gpu import COMMAND, PROFILE
from vadlib.report.records.recorded import check_recorded, list_recorded, load_recorded, recorded_name
from vadlib.report.records.recording import MAX_FIGURE_BYTES, MAX_SCORES_BYTES, machine_paths

RECORDED = list_recorded()


def test_only_recorded_runs_lie_there(project_root):
    folder = project_root / "book" / "recorded"
    there = sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
    assert there == RECORDED


def test_recorded_runs_are_those_of_the_makefile(project_root):
    """Nothing is recorded that one command would not make again."""
    makefile = (project_root / "Makefile").read_text()
    named = {
        recorded_name(profile, notebook)
        for profile, notebooks in re.findall(
            r"^RECORD_(?!PROFILES)[A-Z0-9_]+ *:= *(\S+)((?: +\d\d_\w+)+)$", makefile, re.M
        )
        for notebook in notebooks.split()
    }
    assert named
    by_notebook = {name for name in RECORDED if load_recorded(name).profile != PROFILE}  # the others: make bench-gpu
    assert by_notebook <= named
    assert f"\n{COMMAND.removeprefix('make ')}:" in makefile


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_run_is_small_and_names_no_machine(name, project_root):
    found = load_recorded(name)
    files = {path.relative_to(found.path).as_posix() for path in found.path.rglob("*") if path.is_file()}
    assert files == {*found.run["files"], "run.json"}
    for file in files:
        path = found.path / file
        assert path.suffix in (".json", ".svg", ".parquet"), file
        if path.suffix == ".parquet":
            assert path.stat().st_size <= MAX_SCORES_BYTES
            assert machine_paths(" ".join(pq.read_schema(path).names)) == []
            continue
        text = path.read_text(encoding="utf-8")
        assert path.stat().st_size <= MAX_FIGURE_BYTES or path.suffix == ".json", file
        assert machine_paths(text) == [], file
        if len(socket.gethostname()) > 8:  # a shorter one may be a word
            assert socket.gethostname() not in text, file
    assert found.run["git"]["revision"]
    assert found.run["device"]
    if found.profile == PROFILE:
        assert found.command == COMMAND
        assert None not in found.run["recorded"]["depends_on"].values()
        return
    assert (project_root / "notebooks" / f"{found.notebook}.py").is_file()
    profile = yaml.safe_load((project_root / "notebooks" / "profiles" / f"{found.profile}.yml").read_text())
    assert profile["profile"] == found.profile
    assert "vadlib record " + found.profile + " " + found.notebook in found.command


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_run_is_true_to_its_scores(name):
    found = load_recorded(name)
    wrong = [str(check) for check in check_recorded(found) if not check.agrees]
    assert wrong == []
    if (found.path / "scores.parquet").is_file():
        scores = found.scores.select_dtypes("floating")
        assert (scores.dtypes == np.float32).all()
        assert np.isfinite(scores.to_numpy()).all()
