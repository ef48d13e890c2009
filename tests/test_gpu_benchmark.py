"""`make bench-gpu`, tried on a CPU, and what becomes of its file."""

import importlib
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vadlib.cli import app
from vadlib.errors import ParameterError, ResultsError
from vadlib.report.records.gpu import record_gpu
from vadlib.report.records.pages import recorded_section, recorded_table
from vadlib.report.records.recorded import load_recorded
from vadlib.runs.code_state import part_digests

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benchmarks" / "gpu.py"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The file of a quick run on this CPU."""
    path = tmp_path_factory.mktemp("gpu") / "gpu.json"
    command = [sys.executable, str(SCRIPT), "--device", "cpu", "--quick", "--out", str(path)]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}  # threads that wait for each other cost more than such sizes take
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=alone, cwd="/")
    assert done.returncode == 0, done.stdout + done.stderr
    return path


@pytest.fixture
def gpu(monkeypatch):
    """The script as a module of this process."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return importlib.import_module("gpu")


def test_the_quick_run_measures_everything(measured):
    found = json.loads(measured.read_text())
    assert found["passed"]
    assert found["failed"] == []
    sections = found["sections"]
    assert set(sections) == {"agreement", "speed", "decoding", "paper"}
    for name in ("PaDiM", "Grad-CAM + SSIM", "SPADE", "CLIP prototypes"):
        alike = sections["agreement"][f"{name}, float32"]
        assert alike["fitted there"]["max_difference"] == 0  # the CPU beside itself
        assert alike["fitted on the CPU"]["max_difference"] == 0
        for batch in (4, 8):
            speed = sections["speed"][f"{name}, batch {batch}"]
            rate = speed["score"]["frames_per_second"]
            assert 0 < rate["low"] <= rate["median"] <= rate["high"]
            assert speed["score"]["peak_device_bytes"] is None
    paper = sections["paper"]["batch 8"]
    total = sum(value for part in paper["detectors"].values() for value in part.values())
    assert paper["total_seconds"] == pytest.approx(total)
    assert "decoding" in paper["formula"]
    assert found["depends_on"] == part_digests(found["depends_on"])


def test_a_piece_that_fails_is_named_and_the_others_go_on(gpu, tmp_path, monkeypatch):
    """A library that breaks SPADE's scores: an error in its place, a return code, everything else measured."""

    def broken(*_, **__):
        raise RuntimeError("no kernel image")

    monkeypatch.setattr("gpu_measures.NAMES", ("SPADE", "PaDiM"))
    monkeypatch.setattr("vadlib.detectors.spade.SpadeKnn.score_batch", broken)
    monkeypatch.setattr(gpu, "agreement", lambda *_: None)
    assert gpu.main(["--device", "cpu", "--quick", "--out", str(tmp_path / "gpu.json")]) == 1
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert "no kernel image" in found["sections"]["speed"]["SPADE, batch 4"]["error"]
    assert found["sections"]["speed"]["PaDiM, batch 4"]["score"]["seconds"] > 0
    assert found["sections"]["decoding"]["videos"]["seconds"] > 0
    assert not found["passed"]
    assert "speed: SPADE, batch 4" in found["failed"]
    assert "paper: batch 4" in found["failed"]  # there are no prototypes to extrapolate from
    with pytest.raises(ResultsError, match="--quick"):
        record_gpu(tmp_path / "gpu.json", allow_dirty=True)


def test_time_that_is_over_stops_each_piece(gpu, tmp_path):
    out = tmp_path / "gpu.json"
    assert gpu.main(["--device", "cpu", "--quick", "--seconds", "0.01", "--out", str(out)]) == 1
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert found["seconds"] < 60
    assert "its time was over" in found["sections"]["agreement"]["PaDiM, on the CPU"]["error"]


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="there is a GPU here")
@pytest.mark.parametrize(
    ("arguments", "words"), [((), "torch sees no GPU here"), (("--device", "cuda"), "torch sees no GPU")]
)
def test_without_a_gpu_it_says_so(arguments, words, gpu, tmp_path, capsys):
    assert gpu.main([*arguments, "--out", str(tmp_path / "gpu.json")]) == 2
    said = capsys.readouterr().out
    assert (said.startswith("not run: "), words in said) == (True, True)
    assert not (tmp_path / "gpu.json").exists()


def test_what_python_lacks_is_named_at_the_start():
    """The bare interpreter, without the environment's packages."""
    done = subprocess.run([sys.executable, "-I", "-S", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "lacks av, cv2, joblib, matplotlib, numpy" in done.stdout


def test_core_dependencies_are_looked_for():
    """By the names that they are imported by."""
    imported = {"opencv-python-headless": "cv2", "pyyaml": "yaml", "scikit-learn": "sklearn"}
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = [re.match(r"[\w-]+", line)[0] for line in dependencies]
    assert sorted(imported.get(name, name) for name in names) == sorted(runpy.run_path(str(SCRIPT))["CORE"])


@pytest.mark.parametrize(
    "option", [["--root", "x"], ["--weights", "x"], ["--cores", "2"], ["--skip-unreadable"], ["--allow-missing"]]
)
def test_switches_of_runs_are_refused(option):
    done = CliRunner().invoke(app, ["record", "gpu", "gpu.json", *option])
    assert isinstance(done.exception, ParameterError)
    assert str(done.exception).startswith(f"{option[0]}: not with gpu")


def commit_all(project):
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *command], cwd=project, check=True)


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    """A repository of the code of the file."""
    folder = tmp_path_factory.mktemp("code") / "code"
    for part in ("benchmarks", "vadlib"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "bundled"))
    (folder / ".gitignore").write_text("*.json\n")
    commit_all(folder)
    return folder


@pytest.fixture
def taken(project, code, measured):
    """A small project under git that has the code of the file, and the file as a GPU would have written it."""
    shutil.copytree(code, project, dirs_exist_ok=True)
    commit_all(project)
    found = json.loads(measured.read_text()) | {"quick": False, "device": "NVIDIA H200 (made up)"}
    found |= {"device_memory_bytes": 141 * 2**30, "cuda": "12.8"}

    def write(**changes):
        (project / "gpu.json").write_text(json.dumps(found | changes))
        return project / "gpu.json"

    return write


def test_a_run_is_recorded_and_shown(taken, project):
    folder = record_gpu(taken())
    assert folder.name == "gpu-nvidia-h200-made-up"
    assert sorted(path.name for path in folder.iterdir()) == ["metrics.json", "run.json"]
    record = load_recorded(folder.name)
    assert not record.is_stale
    assert record.run["git"]["revision"]
    assert "`make bench-gpu`" in recorded_table([record])
    section = recorded_section(record)
    assert "Measured on NVIDIA H200 (made up), 141 GiB, CUDA 12.8." in section
    assert "PaDiM, batch 4" in section
    assert "| CLIP prototypes, float32 | 0.0e+00 | 1.0000 | yes |" in section
    assert "Total = sum over the detectors" in section
    (project / "vadlib" / "detectors" / "padim.py").write_text("changed = True\n")
    assert load_recorded(folder.name).is_stale


def test_a_device_that_differs_is_recorded_as_it_is(taken, project):
    path = taken()
    found = json.loads(path.read_text())
    resnet = found["sections"]["agreement"]["resnet18, float32"]
    resnet["outputs"]["gradients"] |= {"passed": False, "rank_correlation": 0.5}
    resnet["passed"] = found["passed"] = False
    path.write_text(json.dumps(found | {"failed": ["agreement: resnet18, float32"]}))
    assert "| 0.5000 | no: gradients |" in recorded_section(load_recorded(record_gpu(path).name))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "holiday"}, "it is another file"),
        ({"format": 2}, "is not what `make bench-gpu` writes"),
        ({"quick": True}, "--quick"),
        ({"failed": ["speed: SPADE, batch 32"], "passed": False}, "1 pieces broke off .speed: SPADE"),
        ({"depends_on": {"benchmarks/gpu.py": "0" * 64}}, "benchmarks/gpu.py differ"),
        ({"depends_on": {}}, "none is named"),
        ({"depends_on": {"benchmarks/no_such_file.py": None}}, "none is named"),
    ],
)
def test_a_file_that_says_less_or_other_is_refused(taken, changes, words):
    with pytest.raises(ResultsError, match=words):
        record_gpu(taken(**changes))


def test_a_run_that_was_stopped_is_refused(taken, project):
    path = taken()
    found = json.loads(path.read_text())
    del found["seconds"]
    path.write_text(json.dumps(found))
    with pytest.raises(ResultsError, match="it lacks seconds: the run was stopped"):
        record_gpu(path)
    with pytest.raises(ResultsError, match="no file"):
        record_gpu(project / "other.json")


def test_the_command_takes_the_file(taken, project):
    path = taken()
    done = CliRunner().invoke(app, ["record", "gpu", str(path)])
    assert done.output == f"recorded in {project}/book/recorded/gpu-nvidia-h200-made-up\n"


def test_uncommitted_changes_are_refused(taken, project):
    path = taken()
    (project / "new.py").write_text("")
    with pytest.raises(ParameterError, match="uncommitted changes"):
        record_gpu(path)
    assert load_recorded(record_gpu(path, allow_dirty=True).name).run["git"]["dirty"]
