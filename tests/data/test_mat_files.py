import random
import struct

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from vadlib.data.labels.mat_files import open_variable
from vadlib.errors import LabelError

KINDS = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", "i8", "u8")


def read(path, name="x"):
    variable = open_variable(path, name)
    return variable.shape, list(variable.cells)


def by_scipy(path, name="x"):
    found = scipy.io.loadmat(path)[name]
    return list(found.ravel(order="F")) if found.dtype == object else [found]


@pytest.fixture
def file(tmp_path):
    def write(value, compress=True, **others):
        scipy.io.savemat(tmp_path / "x.mat", {**others, "x": value}, do_compression=compress)
        return tmp_path / "x.mat"

    return write


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_as_scipy(file, write, kind, compress):
    rng = np.random.default_rng(0)
    arrays = [(100 * rng.random(shape)).astype(kind) for shape in ((3, 4), (1, 1), (0, 0), (7, 9), (2, 3, 4))]
    path = file(write.cells(arrays), compress, before=np.eye(3), after="text")
    shape, found = read(path)
    assert shape == (1, 5)
    for ours, theirs, written in zip(found, by_scipy(path), arrays, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(ours, written)


@pytest.mark.parametrize("compress", [True, False])
def test_small_numbers_are_stored_in_fewer_bytes(file, write, compress):
    path = file(write.cells([np.array([[78.0, 392.0], [120.0, 422.0]]), np.array([[1.5]])]), compress)
    assert [array.tolist() for array in read(path)[1]] == [[[78.0, 392.0], [120.0, 422.0]], [[1.5]]]


def test_byte_order_of_other_machines(tmp_path):
    """Written by hand: SciPy writes only this machine's order."""
    body = b"\0\0\0\6\0\0\0\x08" + b"\0\0\0\x09\0\0\0\0" + b"\0\0\0\5\0\0\0\x08" + b"\0\0\0\1\0\0\0\2"
    body += b"\0\1\0\1x\0\0\0" + b"\0\0\0\4\0\0\0\4" + b"\1\0\0\7\0\0\0\0"
    content = b"MATLAB 5.0 MAT-file".ljust(124) + b"\1\0MI" + b"\0\0\0\x0e" + len(body).to_bytes(4, "big") + body
    (tmp_path / "x.mat").write_bytes(content)
    np.testing.assert_array_equal(scipy.io.loadmat(tmp_path / "x.mat")["x"], [[256, 7]])
    np.testing.assert_array_equal(read(tmp_path / "x.mat")[1][0], [[256, 7]])


def test_an_empty_cell_may_have_no_bytes(file, write):
    """As MATLAB writes the cells of cell(1, n) that were never filled; SciPy writes them as arrays (0, 0)."""
    cells = [np.ones((1, 2), np.uint8), np.zeros((0, 0)), np.array([[7.0]])]
    path = file(write.cells(cells), compress=False)
    content = bytearray(path.read_bytes())
    second = content.index(b"\x0e\0\0\0", content.index(b"\x0e\0\0\0", 128 + 8) + 8)
    (n_bytes,) = struct.unpack_from("<I", content, second + 4)
    content[second : second + 8 + n_bytes] = b"\x0e\0\0\0\0\0\0\0"
    struct.pack_into("<I", content, 132, struct.unpack_from("<I", content, 132)[0] - n_bytes)
    path.write_bytes(content)
    shape, found = read(path)
    assert shape == (1, 3)
    assert [array.ravel().tolist() for array in found] == [array.ravel().tolist() for array in by_scipy(path)]
    assert [array.shape for array in found] == [(1, 2), (0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (scipy.sparse.csc_array(np.eye(3)), "sparse array, which is not read here. Save it again with full"),
        ("text", "numbers are expected, found an array of class 4"),
        ({"field": 1}, "numbers are expected, found an array of class 2"),
    ],
)
def test_other_kinds(file, write, value, message):
    with pytest.raises(LabelError, match=rf"x\.mat.*{message}"):
        read(file(value))
    with pytest.raises(LabelError, match=rf"x\.mat.*{message}"):
        read(file(write.cells([np.eye(2), value])))


def test_no_such_variable(file):
    with pytest.raises(LabelError, match=r"no variable 'gt'; there is a, x\. Copy"):
        read(file(1, a=2), "gt")


@pytest.mark.parametrize(
    "content", [b"", b"MATLAB 5.0 MAT-file", b"hello" * 100, bytes(400), bytes(4) + b"AB 5.0".ljust(120) + b"\0\1IM"]
)
def test_no_matlab_file(tmp_path, content):
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(LabelError, match=r"x\.mat is no MATLAB file of format 5"):
        read(tmp_path / "x.mat")


def test_matlab_7_3(tmp_path):
    (tmp_path / "x.mat").write_bytes(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(LabelError, match=r"MATLAB 7\.3 file \(HDF5\), which is not read here\. Save it again.*-v7"):
        read(tmp_path / "x.mat")


@pytest.mark.parametrize("compress", [True, False])
def test_every_truncation_is_an_error(file, write, compress):
    path = file(write.cells([np.arange(40, dtype=np.uint8).reshape(5, 8)] * 3), compress)
    content = path.read_bytes()
    for n_bytes in range(len(content)):
        path.write_bytes(content[:n_bytes])
        with pytest.raises(LabelError, match=r"x\.mat"):
            read(path)


@pytest.mark.parametrize("compress", [True, False])
def test_damage_is_an_error_or_the_same_shape(file, write, compress):
    """Whatever byte is changed, nothing but a LabelError comes out, and no memory is asked for that is not there."""
    arrays = [np.arange(40, dtype=np.uint8).reshape(5, 8)] * 3
    path = file(write.cells(arrays), compress)
    content = path.read_bytes()
    rng = random.Random(1)
    n_refused = 0
    for _ in range(600):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 4))):
            damaged[rng.randrange(126, len(content))] = rng.randrange(256)
        path.write_bytes(damaged)
        try:
            _, found = read(path)
        except LabelError:
            n_refused += 1
            continue
        assert sum(array.nbytes for array in found) < 10 * len(content) + 1000
        if compress:  # a checksum finds every change of the numbers
            assert [array.tolist() for array in found] == [array.tolist() for array in arrays]
    assert n_refused > 100


def test_lies_of_size_use_no_memory(file, write):
    path = file(write.cells([np.zeros((6, 9), np.uint8)]), compress=False)
    content = path.read_bytes()
    at = content.index((6).to_bytes(4, "little") + (9).to_bytes(4, "little"))
    huge = (2**30).to_bytes(4, "little")
    path.write_bytes(content[:at] + huge + huge + content[at + 8 :])
    with pytest.raises(LabelError, match=r"one of its cells claims to be \(1073741824, 1073741824\)"):
        read(path)
