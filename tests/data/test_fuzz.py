"""Damaged copies of every layout: what comes out is right, or a VadError that names the file.

A case is a number: ``pytest tests/data/test_fuzz.py -k "case and 137"`` runs one again, with the same damage. Which
layouts and kinds of damage there are, and the reference that says what is right, is in `fuzzing.py`.
"""

import faulthandler
import os
import shutil
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

from vadlib.data import FrameReader, read_frame
from vadlib.errors import VadError


def beside(name):
    """A module of this folder, which is no package."""
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzzing = beside("fuzzing")
beside("fuzzing_layouts").add_layouts(fuzzing)

N_CASES, N_LONG = 1200, 5000
SECONDS, MEBIBYTES = 20, 150  # more than any case takes, on a busy machine


@pytest.fixture(scope="session")
def templates(tmp_path_factory):
    """An undamaged copy of every layout; not to be written to."""
    folder = tmp_path_factory.mktemp("templates")
    for number, (name, layout) in enumerate(fuzzing.LAYOUTS.items()):
        (folder / name).mkdir()
        layout.write(folder / name, np.random.default_rng(number))
    return folder


@pytest.fixture
def damaged(templates, tmp_path):
    """Give a copy of a layout, damaged as a case says, and what was touched."""

    def make(case: int, mutate=None):
        rng = np.random.default_rng([20261126, case])
        name = list(fuzzing.LAYOUTS)[case % len(fuzzing.LAYOUTS)]
        root = shutil.copytree(templates / name, tmp_path / "set", symlinks=True)
        start = case // len(fuzzing.LAYOUTS) % len(fuzzing.MUTATIONS)
        touched = None
        for offset in range(len(fuzzing.MUTATIONS)):
            mutation = mutate or fuzzing.MUTATIONS[(start + offset) % len(fuzzing.MUTATIONS)]
            touched = mutation(rng, root)
            if touched is not None:
                break
        if rng.random() < 0.15:
            touched += fuzzing.flip_bits(rng, root)
        return name, root, touched

    return make


class Limits:
    """Ends the process where a case hangs, and fails where it takes too long or too much memory."""

    def __enter__(self):
        faulthandler.dump_traceback_later(6 * SECONDS, exit=True)
        self.started, self.before = time.process_time(), peak_mebibytes(reset=True)

    def __exit__(self, kind, *_):
        faulthandler.cancel_dump_traceback_later()
        if kind is None:
            seconds, grown = time.process_time() - self.started, peak_mebibytes() - self.before
            assert seconds < SECONDS, f"took {seconds:.0f} s"
            assert grown < MEBIBYTES, f"took {grown:.0f} MiB"


def peak_mebibytes(reset: bool = False) -> float:
    """The most memory that this process has had since the last reset; 0 where the system does not say."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0.0
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def read_everything(layout, root):
    """Open, and read every frame and mask; gives all that there is to compare."""
    dataset = layout.open(root)
    table = dataset.frame_table()
    frames = {}
    for clip in dataset.clips:
        rows = table[table["clip"] == clip.id]
        size = dataset.image_size(clip.id)
        batches = FrameReader(dataset, rows, size, 512, progress=False, n_threads=1)
        frames[clip.id] = np.concatenate([batch.images.permute(0, 2, 3, 1).numpy() for batch in batches])
        np.testing.assert_array_equal(read_frame(dataset, clip.id, 0), frames[clip.id][0])
    masks = {
        clip.id: [dataset.pixel_mask(clip.id, frame) for frame in (0, clip.n_frames // 2, clip.n_frames - 1)]
        for clip in dataset.clips
    }
    assert len(dataset.fingerprint) == 32
    return dataset, frames, masks


def check_right(layout, root, dataset, frames, masks):
    """Compare with the reference, which knows nothing of vadlib."""
    expected = layout.reference(root)
    assert {clip.id: clip.split for clip in dataset.clips} == {name: clip.split for name, clip in expected.items()}
    table = dataset.frame_table()
    for clip in dataset.clips:
        wanted = expected[clip.id]
        pictures = fuzzing.reference_frames(wanted.path)
        assert clip.path == wanted.path
        if wanted.path.is_dir() or clip.split == "test":
            assert clip.n_frames == len(pictures)
        assert frames[clip.id].shape == (clip.n_frames, *pictures[0].shape)
        np.testing.assert_array_equal(frames[clip.id], pictures[: clip.n_frames])
        rows = table[table["clip"] == clip.id]
        assert rows["frame"].tolist() == list(range(clip.n_frames))
        assert wanted.labels is not None
        assert rows["label"].tolist() == (wanted.labels or [0] * clip.n_frames)
        for frame, mask in zip((0, clip.n_frames // 2, clip.n_frames - 1), masks[clip.id], strict=True):
            right = layout.mask(root, clip.id, frame, clip.n_frames)
            assert (mask is None) == (right is None)
            if right is not None:
                assert mask.shape == frames[clip.id].shape[1:3]
                np.testing.assert_array_equal(mask, right)
        assert np.isfinite(clip.fps)
        assert clip.fps > 0
    if layout is not fuzzing.LAYOUTS["folder"]:  # whose intervals are its labels, compared above
        assert dataset.events.to_numpy().tolist() == fuzzing.reference_events(root)


def names_of(touched, root):
    """What a message may call a damaged file: its name, its clip, or the folder it is in."""
    for path in touched:
        for part in (path.name, path.stem, path.parent.name if path.parent != root else path.name):
            yield part.encode("utf-8", "backslashreplace").decode()


def check(name, root, touched) -> str:
    layout = fuzzing.LAYOUTS[name]
    with Limits():
        try:
            found = read_everything(layout, root)
        except VadError as error:
            message = str(error)
            message.encode()  # can be printed
            assert len(message) < 2500
            assert any(part in message for part in names_of(touched, root)), message
            return type(error).__name__
    check_right(layout, root, *found)
    return "right"


@pytest.mark.parametrize("name", fuzzing.LAYOUTS)
def test_undamaged(templates, name):
    assert check(name, templates / name, []) == "right"


@pytest.mark.parametrize("case", range(N_CASES))
def test_case(case, damaged):
    check(*damaged(case))


@pytest.mark.long
@pytest.mark.parametrize("case", range(N_CASES, N_CASES + N_LONG))
def test_long_case(case, damaged):
    check(*damaged(case))


@pytest.mark.parametrize(("case", "outcome"), [(1, "LabelError"), (2, "right"), (4, "right")])
def test_a_clip_of_10000_frames(case, outcome, damaged):
    name, root, touched = damaged(case, fuzzing.many_frames)
    assert check(name, root, touched) == outcome  # a test clip has other labels, a training clip all that it has


def test_damage_is_found(templates, tmp_path):
    """The check itself can fail: a frame changed after the reference was told is noticed."""
    root = shutil.copytree(templates / "ucsd-ped2", tmp_path / "set")
    layout = fuzzing.LAYOUTS["ucsd-ped2"]
    found = read_everything(layout, root)
    check_right(layout, root, *found)
    a, b = sorted((root / "Test/Test001").iterdir())[:2]
    a.rename(root / "x")
    b.rename(a)
    (root / "x").rename(b)
    with pytest.raises(AssertionError):
        check_right(layout, root, *found)


def test_no_file_is_left_open(templates):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        check("shanghaitech-videos", templates / "shanghaitech-videos", [])
    assert len(os.listdir("/proc/self/fd")) <= before + 2
