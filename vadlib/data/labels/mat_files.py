"""MATLAB `.mat` files (format 5, which MATLAB calls v6 and v7), a cell at a time.

A file that nobody vouches for is read like any other input: nothing in it is run, no more memory is used than one
cell takes, and whatever does not fit the format is a `LabelError`. The format: MathWorks, "MAT-File Format".
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from vadlib.data.reading.files import require_file
from vadlib.errors import LabelError, UnreadableError

HEADER_BYTES = 128
VERSION = 0x0100
MAX_CELL_BYTES = 2**28
CHUNK_BYTES = 2**18
INT8, INT32, MATRIX, COMPRESSED, UTF8 = 1, 5, 14, 15, 16
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CELL_CLASS, SPARSE_CLASS, NUMBER_CLASSES = 1, 5, range(6, 16)


class MatVariable(NamedTuple):
    """A variable of a `.mat` file: its shape, and its cells in MATLAB's order (one for an array of numbers)."""

    shape: tuple[int, ...]
    cells: Iterator[np.ndarray]


class _Header(NamedTuple):
    kind: int
    shape: tuple[int, ...]
    name: str


def open_variable(path: Path, name: str) -> MatVariable:
    """Find a cell array, or an array of numbers, in a `.mat` file."""
    file = _open(path)
    try:
        order = _byte_order(path, file.read(HEADER_BYTES))
        return _find(path, file, order, name)
    except BaseException:
        file.close()
        raise


def variable_names(path: Path) -> list[str]:
    """Names of all variables of a `.mat` file, in its order; raises as `open_variable`."""
    with _open(path) as file:
        return [header.name for _, header in _variables(path, file, _byte_order(path, file.read(HEADER_BYTES)))]


def _open(path: Path) -> BinaryIO:
    try:
        require_file(path)
        return path.open("rb")
    except (UnreadableError, OSError) as error:
        raise LabelError(f"Labels: {path} cannot be read: {error}") from error


def _byte_order(path: Path, header: bytes) -> str:
    if header.startswith(b"MATLAB 7.3"):
        raise LabelError(
            f"{path} is a MATLAB 7.3 file (HDF5), which is not read here. Save it again in MATLAB with "
            "save(file, name, '-v7')."
        )
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    other = 0 in header[:4]  # a zero among the first four bytes: format 4
    if other or order is None or struct.unpack(f"{order}H", header[124:126]) != (VERSION,):
        raise LabelError(f"{path} is no MATLAB file of format 5 (v6, v7). Copy it again, or save it with '-v7'.")
    return order


def _find(path: Path, file: BinaryIO, order: str, name: str) -> MatVariable:
    names = []
    for stream, header in _variables(path, file, order):
        if header.name == name:
            return _variable(path, stream, header)
        names.append(header.name)
    raise LabelError(f"{path} has no variable {name!r}; there is {', '.join(names[:8]) or 'nothing'}. Copy it again.")


def _variables(path: Path, file: BinaryIO, order: str) -> Iterator[tuple[_Stream, _Header]]:
    """Each variable's header, and the bytes after it."""
    while tag := file.read(8):
        if len(tag) < 8:
            raise LabelError(_broken(path, "it ends early"))
        kind, n_bytes = struct.unpack(f"{order}II", tag)
        start = file.tell()
        if kind in (MATRIX, COMPRESSED):
            stream = _Stream(path, file, n_bytes, order, inflate=kind == COMPRESSED)
            header = stream.open_matrix() if kind == COMPRESSED else stream.matrix_header()
            if header is not None:
                yield stream, header
        file.seek(start + n_bytes)


def _variable(path: Path, stream: _Stream, header: _Header) -> MatVariable:
    n_cells = math.prod(header.shape)
    if header.kind == CELL_CLASS:

        def cells() -> Iterator[np.ndarray]:
            with stream.file:
                for _ in range(n_cells):
                    cell = stream.open_matrix()
                    yield np.empty((0, 0)) if cell is None else stream.numbers(cell)
                stream.finish()

        return MatVariable(header.shape, cells())
    with stream.file:
        numbers = stream.numbers(header)
        stream.finish()
        return MatVariable(header.shape, iter([numbers]))


def _broken(path: Path, reason: str) -> str:
    return f"{path}: {reason}. It is damaged, or no MATLAB file of numbers: copy it again, or save it with '-v7'."


class _Stream:
    """The bytes of one variable, inflated as they are asked for."""

    def __init__(self, path: Path, file: BinaryIO, n_bytes: int, order: str, *, inflate: bool):
        self.path, self.file, self.order = path, file, order
        self._left = n_bytes  # of the file
        self._inflater = zlib.decompressobj() if inflate else None
        self._ready = bytearray()

    def read(self, n_bytes: int) -> bytes:
        """Read some bytes, or raise."""
        if n_bytes > MAX_CELL_BYTES:
            raise LabelError(_broken(self.path, f"one of its cells claims to have {n_bytes:,} bytes"))
        while len(self._ready) < n_bytes:
            if not self._fill():
                raise LabelError(_broken(self.path, "it ends early"))
        found = bytes(self._ready[:n_bytes])
        del self._ready[:n_bytes]
        return found

    def _fill(self) -> bool:
        """Get more bytes ready; False at the end."""
        chunk = b"" if self._inflater is None else self._inflater.unconsumed_tail
        if not chunk:
            chunk = self.file.read(min(self._left, CHUNK_BYTES))
            self._left -= len(chunk)
        if self._inflater is None:
            self._ready += chunk
            return bool(chunk)
        try:
            found = self._inflater.decompress(chunk, CHUNK_BYTES)  # also of no chunk: some may be held back
        except zlib.error as error:
            raise LabelError(_broken(self.path, f"it cannot be inflated ({error})")) from error
        self._ready += found
        return bool(chunk or found)

    def finish(self) -> None:
        """Read to the end of what is compressed, where its checksum is, or raise."""
        while self._inflater is not None and not self._inflater.eof:
            if not self._fill():
                raise LabelError(_broken(self.path, "it ends early"))
            if len(self._ready) > MAX_CELL_BYTES:
                break
        if self._inflater is not None and (self._ready or self._inflater.unused_data or self._left):
            raise LabelError(_broken(self.path, "it goes on after its last array"))

    def element(self) -> tuple[int, bytes]:
        """Read an element: its data type, and its bytes without the padding."""
        tag = self.read(8)
        first, n_bytes = struct.unpack(f"{self.order}II", tag)
        if first >> 16:  # four bytes or fewer lie in the tag itself
            n_bytes = first >> 16
            if n_bytes > 4:
                raise LabelError(_broken(self.path, f"an element of {n_bytes} bytes lies in 4"))
            return first & 0xFFFF, tag[4 : 4 + n_bytes]
        content = self.read(n_bytes)
        self.read(-n_bytes % 8)
        return first, content

    def open_matrix(self) -> _Header | None:
        """Read the tag and header of a matrix; None where it has no bytes at all, as an empty cell may be written."""
        kind, n_bytes = struct.unpack(f"{self.order}II", self.read(8))
        if kind != MATRIX:
            raise LabelError(_broken(self.path, f"an array is expected, found data type {kind}"))
        return self.matrix_header() if n_bytes else None

    def matrix_header(self) -> _Header:
        """Read what comes before the numbers of a matrix, or before its cells."""
        _, flags = self.element()
        kind_of_sides, sides = self.element()
        kind_of_name, name = self.element()
        if kind_of_sides != INT32 or kind_of_name not in (INT8, UTF8):
            raise LabelError(_broken(self.path, "the header of an array is none"))
        if len(flags) != 8 or len(sides) % 4 or not 8 <= len(sides) <= 32:
            raise LabelError(_broken(self.path, "the header of an array is not as long as it should be"))
        shape = struct.unpack(f"{self.order}{len(sides) // 4}i", sides)
        if min(shape) < 0:
            raise LabelError(_broken(self.path, f"{shape} is no shape"))
        (flag_bits,) = struct.unpack(f"{self.order}I", flags[:4])
        return _Header(flag_bits & 0xFF, shape, name.decode("latin-1"))

    def numbers(self, header: _Header) -> np.ndarray:
        """Read the numbers of a matrix whose header was read."""
        if header.kind == SPARSE_CLASS:
            raise LabelError(
                f"{self.path} holds a sparse array, which is not read here. Save it again with full(array)."
            )
        if header.kind not in NUMBER_CLASSES:
            raise LabelError(_broken(self.path, f"numbers are expected, found an array of class {header.kind}"))
        if math.prod(header.shape) > MAX_CELL_BYTES:
            raise LabelError(_broken(self.path, f"one of its cells claims to be {header.shape}"))
        kind, content = self.element()
        if kind not in NUMBERS:
            raise LabelError(_broken(self.path, f"numbers are expected, found data type {kind}"))
        found = np.frombuffer(content, np.dtype(self.order + NUMBERS[kind])) if content else np.empty(0)
        if found.size != math.prod(header.shape):
            raise LabelError(_broken(self.path, f"{found.size} numbers in an array {header.shape}"))
        return found.reshape(header.shape, order="F")
