"""A disk with no room left: every writer says so in one line, and leaves nothing half-written."""

import subprocess
import sys

import pytest

from synthcampus import write_world
from vadlib.errors import ResultsError
from vadlib.storage import RunLock

WORLD = {"n_train_clips": 2, "n_test_clips": 2, "n_scenes": 1, "clip_seconds": (2, 3), "size": (120, 160)}


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


@pytest.mark.parametrize("kibibytes", [8, 100, 250])
@pytest.mark.parametrize("n_workers", [1, 2])
def test_the_world(small_disk, kibibytes, n_workers):
    disk = small_disk(kibibytes)
    with pytest.raises(ResultsError, match=r"the world cannot be written there|Is the disk full"):
        write_world(disk / "world", **WORLD, n_workers=n_workers, progress=False)
    assert left_in(disk) == []


def test_the_world_fits(small_disk, tmp_path):
    """With room for it, it is what it is anywhere else."""
    disk = small_disk(8000)
    write_world(disk / "world", **WORLD, n_workers=1, progress=False)
    write_world(tmp_path / "world", **WORLD, n_workers=1, progress=False)
    names = left_in(tmp_path / "world")
    assert left_in(disk / "world") == names
    for name in names:
        path = tmp_path / "world" / name
        assert path.is_dir() or path.read_bytes() == (disk / "world" / name).read_bytes()


def test_extraction_and_scores_by_command(small_disk, tmp_path, project_root):
    disk = small_disk(200)
    world = write_world(tmp_path / "world", **WORLD, n_workers=1, progress=False)
    done = vadlib(project_root, "extract", "synthcampus", world, disk / "frames", "--image-format", "png")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].strip().endswith("the next run goes on from there.")
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [name for name in left_in(disk) if "partial" in name or name.endswith(".csv")]


def vadlib(project_root, *arguments):
    command = [sys.executable, "-m", "vadlib.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=project_root, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kibibytes", [4, 64])
def test_a_notebook(small_disk, project, kibibytes, project_root):
    """Room for the lock alone, or for the notebook's beginning."""
    disk = small_disk(kibibytes)
    (project / "notebooks" / "02_padim.py").write_text(
        '# %% tags=["parameters"]\nseed = 0  # of the draw\n\n# %%\nprint("x" * 100_000)\n'
    )
    command = [sys.executable, "-m", "vadlib.report.notebooks", "notebooks/02_padim.py", str(disk / "page.ipynb")]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
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
