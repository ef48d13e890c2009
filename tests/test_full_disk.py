"""A disk with no room left: every writer says so in one line, and leaves nothing half-written."""

import subprocess
import sys

import pytest

from synthcampus import write_world
from vadlib.errors import ResultsError
from vadlib.storage import RunLock, write_atomically, write_folder

WORLD = {"n_train_clips": 1, "n_test_clips": 1, "n_scenes": 1, "clip_seconds": (2, 3), "size": (120, 160)}


@pytest.fixture
def small_disk(tmp_path):
    """Give a folder that is a file system of some kibibytes of its own."""
    mounted = []

    def make(kibibytes):
        folder = tmp_path / "disk"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)]
        if sys.platform != "linux" or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("a small file system can only be made by the superuser of a Linux machine")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def left_in(folder) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize(("kibibytes", "n_workers"), [(100, 1), (250, 2)])
def test_the_world(small_disk, kibibytes, n_workers):
    disk = small_disk(kibibytes)
    with pytest.raises(ResultsError, match=r"the world cannot be written there|Is the disk full"):
        write_world(disk / "world", **WORLD, n_workers=n_workers, progress=False)
    assert left_in(disk) == []


def test_a_folder_and_a_file(small_disk):
    """What every writer of results rests on."""
    disk = small_disk(64)
    write_folder(disk / "results", lambda folder: (folder / "a").write_bytes(bytes(20_000)))
    for write in (
        lambda: write_folder(disk / "results", lambda folder: (folder / "a").write_bytes(bytes(80_000))),
        lambda: write_atomically(disk / "page", "x" * 80_000),
    ):
        with pytest.raises(OSError, match="No space left on device"):
            write()
        assert left_in(disk) == ["results", "results/a"]
    assert (disk / "results/a").stat().st_size == 20_000


def test_extraction(small_disk, tmp_path, vadlib):
    disk = small_disk(200)
    world = write_world(tmp_path / "world", **WORLD, n_workers=1, progress=False)
    code, _, error = vadlib("extract", "synthcampus", world, disk / "frames", "--image-format", "png")
    assert (code, "No space left on device" in error) == (1, True)
    assert error.strip().endswith("the next run goes on from there.")
    assert not [name for name in left_in(disk) if "partial" in name or name.endswith(".csv")]


@pytest.mark.parametrize("kibibytes", [4, 64])
def test_a_notebook(small_disk, project, kibibytes, python):
    """Room for the lock alone, or for the notebook's beginning."""
    disk = small_disk(kibibytes)
    (project / "notebooks" / "02_padim.py").write_text(
        '# %% tags=["parameters"]\nseed = 0  # of the draw\n\n# %%\nprint("x" * 100_000)\n'
    )
    done = python("-m", "vadlib.report.notebooks", "notebooks/02_padim.py", disk / "page.ipynb")
    assert done.returncode == 1
    assert f"{disk}/page.ipynb could not be written: No space left on device. Make room" in done.stderr
    assert "Traceback" not in done.stderr
    assert [name for name in left_in(disk) if name.endswith(".ipynb")] == []


def test_a_lock_is_held_on_a_full_disk(small_disk, python):
    disk = small_disk(4)
    (disk / "ballast").write_bytes(bytes(4096))
    with RunLock(disk / "results") as lock:
        assert lock.held
        code = "import sys; from vadlib.storage import RunLock; RunLock(sys.argv[1]).acquire()"
        assert "BusyError" in python("-c", code, disk / "results").stderr


def test_a_lock_where_nothing_can_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ResultsError, match="results cannot be written there: (Not a directory|File exists). Make room"):
        RunLock(tmp_path / "file/results").acquire()
