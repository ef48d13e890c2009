import hashlib
import os
from pathlib import Path

import pytest

from vadlib.errors import BusyError, ParameterError, ResultsError
from vadlib.storage import (
    RunLock,
    check_replaceable,
    file_sha256,
    project_path,
    project_root,
    replace_folder,
    user_path,
    write_atomically,
)

HOLD = """
    import sys, time
    from vadlib.storage import RunLock
    lock = RunLock("results").acquire()
    print("held", flush=True)
    time.sleep(60)
"""


def test_relative_paths_start_at_the_root_from_anywhere_in_the_project(project, monkeypatch):
    monkeypatch.chdir(project / "notebooks")
    assert project_root() == project
    assert project_path("_build/x") == project / "_build" / "x"
    assert project_path("/abs/olute") == project_path("/abs/./olute")
    assert "~" not in str(project_path("~/x"))


def test_outside_a_project_relative_paths_start_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert project_root() is None
    assert project_path("x") == tmp_path / "x"


def test_a_second_process_is_told_who_holds_the_lock(project, background):
    holder = background(HOLD)
    with pytest.raises(BusyError, match=f"results is being written by another run .process {holder.pid} since"):
        RunLock("results").acquire()


def test_a_killed_holder_leaves_no_lock(project, background):
    holder = background(HOLD)
    holder.kill()
    holder.wait()
    with RunLock("results") as lock:
        assert lock.held
    assert not lock.file.exists()


def test_a_child_given_the_descriptors_keeps_the_lock(project, python):
    lock = RunLock("results").acquire()
    code = "import os, sys; os.fstat(int(sys.argv[1])); print('open')"
    assert python("-c", code, lock.descriptors[0], pass_fds=lock.descriptors).stdout == "open\n"
    lock.release()
    assert lock.descriptors == ()


def test_a_later_lock_of_the_same_process_takes_over(project):
    first, second = RunLock("results").acquire(), RunLock("results")
    second.acquire()
    assert second.held
    assert first.taken_over
    first.release()  # no longer its own: nothing happens
    assert second.held
    second.release()
    assert not second.file.exists()


def fill_with(text):
    return lambda folder: (folder / "run.json").write_text(text)


def test_replace_folder_keeps_the_former_one_when_filling_fails(tmp_path):
    target = tmp_path / "a" / "results"
    replace_folder(target, fill_with("1"))
    replace_folder(target, fill_with("2"))
    assert (target / "run.json").read_text() == "2"

    def fail(folder):
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace_folder(target, fail)
    assert [path.name for path in target.parent.iterdir()] == ["results"]
    assert (target / "run.json").read_text() == "2"


def test_replace_folder_puts_right_what_a_kill_between_the_renames_left(tmp_path):
    (tmp_path / ".results.previous").mkdir()
    (tmp_path / ".results.previous" / "run.json").write_text("old")
    (tmp_path / ".results.partial").mkdir()

    def fail(folder):
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        replace_folder(tmp_path / "results", fail)
    assert (tmp_path / "results" / "run.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_only_an_earlier_runs_files_may_be_replaced(tmp_path):
    target = tmp_path / "results"
    check_replaceable(target)
    (target / "figures").mkdir(parents=True)
    (target / ".snakemake_timestamp").touch()
    check_replaceable(target)
    (target / "thesis.txt").touch()
    with pytest.raises(ResultsError, match=r"has no run\.json"):
        check_replaceable(target)
    (target / "run.json").write_text('{"name": "npm"}')
    with pytest.raises(ResultsError, match=r"has a run\.json that is not a run's"):
        check_replaceable(target)
    (target / "run.json").write_text('{"files": ["metrics.json"]}')
    with pytest.raises(ResultsError, match=r"files that no run wrote \(thesis.txt\)"):
        check_replaceable(target)
    (target / "thesis.txt").rename(target / "metrics.json")
    check_replaceable(target)
    with pytest.raises(ResultsError, match="is a file"):
        check_replaceable(target / "run.json")


def test_write_atomically_leaves_nothing_beside(tmp_path):
    write_atomically(tmp_path / "page", "text")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "page", "\udc80")
    assert [path.name for path in tmp_path.iterdir()] == ["page"]
    assert (tmp_path / "page").read_text() == "text"


def test_file_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 1_000_000)
    assert file_sha256(tmp_path / "x") == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


@pytest.mark.parametrize("path", ["x" * 5000, "a\0b", "~no_such_user_here/x"])
def test_a_path_that_no_machine_could_have(path):
    with pytest.raises(ParameterError, match=r"cannot be used: .*Give another"):
        user_path(path)


def test_a_path_at_which_nothing_is(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "none", tmp_path / "file/below", tmp_path):
        assert user_path(path) == path
    assert user_path("~/x") == Path.home() / "x"


def test_a_message_can_be_printed_whatever_a_file_is_called(tmp_path):
    error = ResultsError(f"{os.fsdecode(b'a' + bytes([255]))} cannot be read")
    assert str(error) == r"a\udcff cannot be read"
