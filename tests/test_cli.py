import subprocess
import sys

import pytest

from vadlib.errors import BusyError, ParameterError
from vadlib.report.book import build_book
from vadlib.report.storage import RunLock


def vadlib(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "vadlib.cli", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )


def test_help_lists_the_commands(project_root):
    done = vadlib("--help", cwd=project_root)
    assert done.returncode == 0
    for command in ("book", "synth", "extract"):
        assert command in done.stdout


def test_extract_writes_every_frame_by_label(tiny_world, tmp_path, project_root):
    done = vadlib("extract", "synthcampus", str(tiny_world), str(tmp_path / "frames"), cwd=project_root)
    assert done.returncode == 0, done.stderr
    from vadlib.data import open_dataset

    table = open_dataset("synthcampus", tiny_world).frame_table()
    for label, name in ((0, "normal"), (1, "abnormal")):
        written = [path for path in (tmp_path / "frames").rglob("*.jpg") if name in path.parts]
        assert len(written) == (table["label"] == label).sum()


def test_bad_input_is_one_line_and_no_traceback(tmp_path, project_root):
    for arguments, telling in (
        (("book", "--profile", "nope"), "profile: expected one of demo, paper, ped2, found 'nope'"),
        (("book", "--profile", "ped2", "--root", str(tmp_path / "gone")), "ROOT: nothing is at"),
        (("book", "--weights", "gone.pth"), "WEIGHTS: nothing is at"),
        (("extract", "ped3", str(tmp_path), str(tmp_path / "x")), "ped3"),
        (("extract", "ucsd-ped2", str(tmp_path), str(tmp_path / "x")), str(tmp_path)),
    ):
        done = vadlib(*arguments, cwd=project_root)
        assert done.returncode == 1, arguments
        assert done.stderr.startswith("error: "), done.stderr
        assert telling in done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "x").exists()


def test_book_outside_the_project_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match="is not inside the project"):
        build_book("demo")


def test_two_builds_of_one_profile_do_not_mix(project_root, monkeypatch):
    monkeypatch.chdir(project_root)
    holder = subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys; from vadlib.report.storage import RunLock\n"
            "lock = RunLock(sys.argv[1]).acquire(); print('held', flush=True); sys.stdin.read()",
            str(project_root / "_build" / "ped2" / "book"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline().strip() == "held"
        with pytest.raises(BusyError, match="is being written by another run"):
            build_book("ped2")
    finally:
        holder.communicate("")
    with RunLock(project_root / "_build" / "ped2" / "book"):
        pass
