import shutil
import signal
import subprocess
import sys
import time

import cv2
import pandas as pd
import pytest

from vadlib.data import open_dataset
from vadlib.errors import BusyError, ParameterError
from vadlib.report.book import build_book
from vadlib.runs.parameters import notebook_parameters
from vadlib.storage import RunLock


@pytest.fixture(autouse=True)
def in_the_project(project_root, monkeypatch):
    monkeypatch.chdir(project_root)


def test_extract_writes_every_frame_by_label(tiny_world, tmp_path, vadlib):
    code, _, error = vadlib("extract", "synthcampus", tiny_world, tmp_path / "frames", "--size", 60, 106)
    assert code == 0, error
    table = open_dataset("synthcampus", tiny_world).frame_table()
    for label, name in ((0, "normal"), (1, "abnormal")):
        written = [path for path in (tmp_path / "frames").rglob("*.jpg") if name in path.parts]
        assert len(written) == (table["label"] == label).sum()


def test_extract_takes_size_split_and_format(tiny_world, tmp_path, vadlib):
    options = ("--size", 24, 40, "--split", "train", "--image-format", "png")
    code, _, error = vadlib("extract", *options, "synthcampus", tiny_world, tmp_path / "frames")
    assert code == 0, error
    pictures = list((tmp_path / "frames").rglob("*.png"))
    assert pictures
    assert {path.relative_to(tmp_path / "frames").parts[0] for path in pictures} == {"train"}
    assert cv2.imread(str(pictures[0])).shape == (24, 40, 3)
    code, _, error = vadlib("extract", "--split", "both", "synthcampus", tiny_world, tmp_path / "x")
    assert (code, error.startswith("error: split: 'train', 'test' or None")) == (1, True)


@pytest.mark.parametrize("option", ["skip_unreadable", "allow_missing"])
@pytest.mark.parametrize("given", [False, True])
def test_book_and_record_pass_their_switches(monkeypatch, vadlib, option, given):
    found = {}

    def take(name, result):
        def called(*_, **options):
            found[name] = options
            return result

        return called

    monkeypatch.setattr("vadlib.report.book.build_book", take("book", ("index.html", True)))
    monkeypatch.setattr("vadlib.report.records.recording.record", take("record", []))
    flags = ["--" + option.replace("_", "-")] if given else []
    for arguments in (["book"], ["record", "demo", "02_padim"]):
        assert vadlib(*arguments, *flags)[0] == 0
        assert found[arguments[0]][option] is given


def test_switches_reach_every_notebook_that_opens_data(project_root):
    for path in sorted((project_root / "notebooks").glob("*.py")):
        if "open_dataset(" in path.read_text():
            declared = notebook_parameters(path)
            assert {"skip_unreadable", "allow_missing"} <= set(declared), path
    snakefile = (project_root / "Snakefile").read_text()
    makefile = (project_root / "Makefile").read_text()
    for name in ("skip_unreadable", "allow_missing"):
        assert f'"{name}"' in snakefile
        assert f"$({name.upper()})),--{name.replace('_', '-')})" in makefile


def test_an_incomplete_copy_is_extracted_on_purpose(tiny_world, tmp_path, vadlib):
    copy = shutil.copytree(tiny_world, tmp_path / "copy")
    clips = sorted((copy / "testing/frames").iterdir())
    for clip in clips[:1] + clips[3:]:
        shutil.rmtree(clip)
    sorted(clips[1].iterdir())[1].unlink()
    command = ("extract", "synthcampus", copy, tmp_path / "out", "--split", "test")
    code, _, error = vadlib(*command)
    assert (code, "--allow-missing" in error) == (1, True)
    code, _, error = vadlib(*command, "--allow-missing", "--skip-unreadable")
    assert (code, "missing: 4 clips" in error) == (0, True), error
    index = pd.read_csv(tmp_path / "out/index.csv", dtype={"clip": str})
    assert set(index["clip"]) == {clips[2].name}
    assert f"left out: testing/frames/{clips[1].name}: frames " in error


@pytest.mark.parametrize(
    "arguments", [("nope",), ("extract",), ("extract", "--size", "24", "a", "b", "c"), ("book", "x")]
)
def test_wrong_usage_is_explained(arguments, vadlib):
    code, _, error = vadlib(*arguments)
    assert (code, "Usage:" in error) == (2, True)


def test_control_c_says_how_to_go_on(tiny_world, tmp_path, project_root, vadlib):
    out = tmp_path / "frames"
    # Started from a background job, Python would ignore SIGINT: ask for it.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from vadlib.cli import main; main()"
    )
    options = ("--split", "train", "--image-format", "png", "synthcampus", str(tiny_world), str(out))
    process = subprocess.Popen(
        [sys.executable, "-c", code, "extract", *options], cwd=project_root, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (out / "extraction.json").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error
    assert error.rstrip().endswith("interrupted; run the same command to go on")
    assert "Traceback" not in error
    assert not (out / "index.csv").exists()
    assert vadlib("extract", *options)[0] == 0
    assert (out / "index.csv").is_file()


def test_bad_input_is_one_line(tmp_path, vadlib):
    for arguments, telling in (
        (("book", "--profile", "nope"), "shanghaitech-published, found 'nope'"),
        (("book", "--profile", "ped2", "--root", tmp_path / "gone"), "ROOT: nothing is at"),
        (("book", "--weights", "gone.pth"), "WEIGHTS: nothing is at"),
        (("extract", "ped3", tmp_path, tmp_path / "x"), "ped3"),
        (("extract", "ucsd-ped2", tmp_path, tmp_path / "x"), str(tmp_path)),
    ):
        code, _, error = vadlib(*arguments)
        assert (code, error.startswith("error: "), telling in error) == (1, True, True), error
    assert not (tmp_path / "x").exists()


def test_a_process_ends_with_the_code_and_no_traceback(python):
    done = python("-m", "vadlib.cli", "extract", "ped3", ".", "x")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_book_outside_the_project_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match="is not inside the project"):
        build_book("demo")


def test_two_builds_of_one_profile_do_not_mix(background):
    other = background(
        """
        import time
        from vadlib.storage import RunLock
        lock = RunLock("_build/ped2/book").acquire()
        print("held", flush=True)
        time.sleep(60)
        """
    )
    with pytest.raises(BusyError, match="is being written by another run"):
        build_book("ped2")
    other.kill()
    other.wait()
    with RunLock("_build/ped2/book"):
        pass
