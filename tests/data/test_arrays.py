import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from vadlib.data.dataset import Clip
from vadlib.data.labels.arrays import open_array
from vadlib.data.labels.label_files import split_flat_labels
from vadlib.errors import LabelError


def npy(header: str, version: tuple[int, int] = (1, 0), data: bytes = bytes(100)) -> bytes:
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY" + bytes(version) + len(text).to_bytes(2 if version[0] == 1 else 4, "little") + text + data


def described(kind: object, shape: object = (12,)) -> bytes:
    return npy(f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shape}, }}")


def zipped() -> bytes:
    file = io.BytesIO()
    np.savez(file, labels=np.zeros(12))
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.uint8),
        np.arange(24, dtype=">i8").reshape(2, 3, 4),
        np.asfortranarray(np.arange(24.0, dtype=np.float16).reshape(2, 3, 4)),
        np.array([True, False]),
        np.zeros((0, 3), np.int8),
        np.float32(3),
    ],
)
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_the_same_as_numpy(tmp_path, array, version):
    with (tmp_path / "x.npy").open("wb") as file:
        np.lib.format.write_array(file, array, version)
    opened = open_array(tmp_path / "x.npy")
    assert opened.dtype == array.dtype
    np.testing.assert_array_equal(opened, np.load(tmp_path / "x.npy"))


REFUSED = {
    "a lie of 10**12": described("|u1", (10**12,)),
    "a lie of 10**40": described("|u1", (10**40,)),
    "a product beyond 64 bits": described("|u1", (2**62, 4)),
    "a negative side": described("|u1", (-5,)),
    "two negative sides": described("|u1", (-5, -2)),
    "a side of True": described("|u1", (True,)),
    "seventy axes": described("|u1", (1,) * 70),
    "no shape at all": described("|u1", "12"),
    "an expression": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (10**3,), }"),
    "an open bracket": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (12,)"),
    "an open string": npy("{'descr': '|u1', 'shape': ('''"),
    "many open brackets": npy("(" * 3000),
    "deep brackets": npy("(" * 4000 + ")" * 4000),
    "no fields": described([]),
    "short fields": described([("a",)]),
    "empty fields": described(((), ())),
    "a mapping as type": described({1: 2}),
    "a number as type": described(5),
    "fields": described([("a", "u1")]),
    "text": described("<U1"),
    "dates": described("<M8[s]"),
    "complex numbers": described("<c8"),
    "nothing": described("|V0"),
    "bytes": described("|V1"),
    "objects": described("|O"),
    "an old name": described("a"),
    "a set": npy("{1, 2}"),
    "an unhashable key": npy("{[]: 1}"),
    "a number": npy("3"),
    "a long header": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (12,), }" + " " * 20_000),
    "a header longer than the file": npy("{}")[:8] + b"\xff\xff" + b"{}",
    "version 9": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (12,), }", (9, 0)),
    "an .npz": zipped(),
    "the beginning of an .npz": b"PK\x03\x04" + bytes(40),
    "a pickle": b"\x80\x04K\x01.",
    "nothing at all": b"",
    "half of its magic": b"\x93NUM",
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(tmp_path, what):
    path = tmp_path / "01_0014.npy"
    path.write_bytes(REFUSED[what])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(LabelError, match=r"01_0014\.npy (is not a plain array|holds)"):
            open_array(path)


def test_every_beginning_of_a_file_is_refused(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.arange(6, dtype=np.uint8))
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(LabelError, match=r"x\.npy is not a plain array"):
            open_array(path)


def test_a_pickle_is_never_run(tmp_path):
    class Harmful:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harmed"),)

    np.save(tmp_path / "x.npy", np.array([Harmful()], object), allow_pickle=True)
    with pytest.raises(LabelError, match=r"x\.npy is not a plain array: .*Python objects.*refused"):
        open_array(tmp_path / "x.npy")
    assert not (tmp_path / "harmed").exists()


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "1.npy")  # opening it would wait for ever
    (tmp_path / "2.npy").symlink_to("2.npy")
    for name in ("1.npy", "2.npy", "3.npy"):
        with pytest.raises(LabelError, match=rf"{name}"):
            open_array(tmp_path / name)


def test_a_message_does_not_hold_the_file(tmp_path):
    """NumPy's own quotes all that it took for the header."""
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00\xff\xff" + bytes(70_000))
    with pytest.raises(LabelError, match=r"x\.npy is not a plain array") as caught:
        open_array(tmp_path / "x.npy")
    assert len(str(caught.value)) < 600
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00\x00\x20" + bytes(70_000))
    with pytest.raises(LabelError, match=r"x\.npy is not a plain array") as caught:
        open_array(tmp_path / "x.npy")
    assert len(str(caught.value)) < 600


CLIPS = [Clip(name, "test", "s", Path(name), n, 25) for name, n in (("b", 3), ("a", 2), ("c", 1))]


@pytest.mark.parametrize("shape", [(6,), (1, 6)])
def test_clips_are_in_the_order_of_their_names(tmp_path, shape):
    np.save(tmp_path / "labels.npy", np.array([1, 0, 0, 1, 1, 0]).reshape(shape))
    found = split_flat_labels(tmp_path / "labels.npy", CLIPS)
    assert {name: labels.tolist() for name, labels in found.items()} == {"a": [1, 0], "b": [0, 1, 1], "c": [0]}


@pytest.mark.parametrize("shape", [(5,), (7,), (6, 1), (2, 3), ()])
def test_another_number_of_labels(tmp_path, shape):
    np.save(tmp_path / "labels.npy", np.zeros(shape))
    with pytest.raises(LabelError, match=r"labels\.npy has labels \(.*but the 3 test clips have 6 frames"):
        split_flat_labels(tmp_path / "labels.npy", CLIPS)
