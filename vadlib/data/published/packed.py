"""What lies in a folder packed, in parts or half downloaded, and what to do with it.

Archives come from browsers, clouds and ``split``: under names of their own, cut into parts, ended early, or as the
web page that a link led to instead.
"""

from __future__ import annotations

import re
import shlex
import string
from collections import defaultdict
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from vadlib.data.published.official import PUBLICATIONS
from vadlib.data.reading.files import list_names

UNFINISHED = (".crdownload", ".part", ".partial", ".download", ".aria2", ".tmp", ".opdownload")
ARCHIVE = re.compile(r".+\.(zip|tar|tgz|tbz2?|txz|tar\.(gz|bz2|xz))", re.IGNORECASE)
PART = re.compile(rf"(?P<whole>{ARCHIVE.pattern})\.(?P<letters>[a-z]{{2}})|(?P<whole2>.+)\.(?P<number>\d{{2,3}})")
MAGIC = (b"PK\3\4", b"PK\5\6", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
TAR_MAGIC, TAR_MAGIC_AT = b"ustar", 257


def advice(folder: Path, name: str | None = None) -> list[str]:
    """Say what lies packed in a folder, and what makes a data set of it."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    parts: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        if whole := _whole(path.name):
            parts[whole].append(path)
    asked_for = None if name is None else _whole(name) or name
    sentences = [
        _parts_advice(folder, whole, files_of)
        for whole, files_of in parts.items()
        if asked_for in (None, whole) and not (folder / whole).is_file()
    ]
    return sentences + [
        said for path in files if asked_for in (None, path.name) and (said := _file_advice(path)) is not None
    ]


def looks_like_a_page(start: bytes) -> bool:
    """Whether a file's first bytes are those of a web page, where an archive was expected."""
    return bool(re.match(rb"\s*(\xef\xbb\xbf)?\s*<(!doctype|html|head|\?xml|!--)", start, re.IGNORECASE))


def _whole(name: str) -> str | None:
    """The archive that a file is a part of, by its name; None where it is none."""
    match = None if ARCHIVE.fullmatch(name) else PART.fullmatch(name)
    whole = match and (match["whole"] or match["whole2"])
    return whole if whole and ARCHIVE.fullmatch(whole) else None


def _endings(like: str) -> list[str]:
    """The endings of parts, in their order, in the style of one of them."""
    if like.isdigit():
        return [f"{number:0{len(like)}d}" for number in range(10 ** len(like))]
    return ["".join(letters) for letters in product(string.ascii_lowercase, repeat=len(like))]


def _parts_advice(folder: Path, whole: str, parts: Sequence[Path]) -> str:
    endings = _endings(parts[0].name.rsplit(".", 1)[1])
    numbered = {number: folder / f"{whole}.{ending}" for number, ending in enumerate(endings)}
    sizes = {number: path.stat().st_size for number, path in numbered.items() if path in parts}
    first = 1 if endings[0].isdigit() and 0 not in sizes else 0  # as 7-Zip counts, or ``split -d``
    last = max(sizes)
    full = _full_size([size for number, size in sizes.items() if number != last] or list(sizes.values()))
    short = [numbered[number].name for number, size in sizes.items() if number != last and size < full]
    published = first + _n_published_parts(whole) - 1
    if sizes[last] == full:  # the last of a split is the only smaller one
        last = max(last, published)
    missing = [numbered[number].name for number in range(first, last + 1) if number not in sizes]
    what = f"{len(parts)} part(s) of {whole} are there"
    if missing:
        return f"{what}, but not {list_names(missing)}. Get the missing part(s), too."
    if short:
        return f"{what}, but {list_names(short)} ended early: smaller than the others. Get what ended early again."
    if problem := _problem(parts[0]):
        return f"{what}, but {problem}"
    matching = sorted(path.name for path in folder.glob(f"{whole}.*"))
    quoted = " ".join(shlex.quote(path.name) for path in parts)
    names = f"{shlex.quote(whole)}.*" if matching == [path.name for path in parts] else quoted
    return (
        f"{what}. Join them in {folder}: `cat {names} > {shlex.quote(whole)}`; then unpack that: "
        f"`{_unpack_command(whole)}`. Should that end early, the last part is not whole, or others follow it."
    )


def _full_size(sizes: Sequence[int]) -> int:
    """The size of a whole part, as most have it: ``split`` makes all alike but the last, be that smaller or larger."""
    return max(sizes, key=lambda size: (sizes.count(size), size))


def _file_advice(path: Path) -> str | None:
    if path.suffix.lower() in UNFINISHED and (ARCHIVE.fullmatch(path.stem) or _whole(path.stem)):
        again = "`vadlib data fetch` goes on with it" if path.suffix == ".partial" else "let it end, or start it again"
        return f"{path.name} is a download that has not ended: {again}."
    if not ARCHIVE.fullmatch(path.name):
        return None
    if problem := _problem(path):
        return problem
    said = f"{path.name} is not unpacked yet: `{_unpack_command(path.name)}` in {path.parent}"
    for name, publication in PUBLICATIONS.items():
        if path.name in (archive.file for archive in publication.archives):
            said += f", or `vadlib data fetch {name} --to {shlex.quote(str(path.parent))}`, which checks it, too"
            others = [each.file for each in publication.archives if not (path.parent / each.file).is_file()]
            if others:
                said += f", and gets {list_names(others)}, which belongs to it"
    return f"{said}."


def _problem(path: Path) -> str | None:
    """What is wrong with an archive, by its first bytes; None where it may be one."""
    with path.open("rb") as file:
        start = file.read(512)
    if not start:
        return f"{path.name} is empty. Get it again."
    if looks_like_a_page(start):
        return (
            f"{path.name} is a web page, not an archive: its link leads to a page where one has to log in or confirm. "
            "Open that in a browser, and get the file from there."
        )
    if not start.startswith(MAGIC) and not start[TAR_MAGIC_AT:].startswith(TAR_MAGIC):
        return f"{path.name} does not begin as an archive does: it is damaged, or another file. Get it again."
    return None


def _n_published_parts(whole: str) -> int:
    archives = [archive for publication in PUBLICATIONS.values() for archive in publication.archives]
    return next((archive.parts for archive in archives if archive.file == whole and archive.parts), 0)


def _unpack_command(name: str) -> str:
    return f"{'unzip' if name.lower().endswith('.zip') else 'tar -xf'} {shlex.quote(name)}"
