"""`open_dataset`: from a name and a folder to a `VideoDataset`.

A layout is a module beside this one with two functions, and a line in `LAYOUTS`:

- ``matches(folder, name)``: whether the folder is the set's own top folder;
- ``open_layout(name, home, opening)``: the data set in it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from vadlib.data.dataset import VideoDataset
from vadlib.data.layouts import avenue, folder, shanghaitech, shanghaitech_published, ucsd
from vadlib.data.layouts.opening import Opening
from vadlib.data.reading.files import list_names, printable
from vadlib.errors import LayoutError, ParameterError, UnreadableError
from vadlib.storage import user_path


class Layout(NamedTuple):
    """How one data set lies on disk."""

    matches: Callable[[Path, str], bool]
    open_layout: Callable[[str, Path, Opening], VideoDataset]
    folders: tuple[str, ...]  # from the archive's top (or its parent) to the set's own folder
    expects: tuple[str, ...]  # what the set's own folder holds, for messages
    any_folder: bool = False  # whether every folder would do, so that no folder looks like it


_SHANGHAITECH = (shanghaitech.matches, shanghaitech.open_layout)
_UCSD = (ucsd.matches, ucsd.open_layout)

LAYOUTS = {
    "shanghaitech": Layout(*_SHANGHAITECH, ("shanghaitech",), shanghaitech.EXPECTS),
    "synthcampus": Layout(*_SHANGHAITECH, ("synthcampus",), (*shanghaitech.EXPECTS, "events.csv")),
    "ucsd-ped1": Layout(*_UCSD, ("UCSD_Anomaly_Dataset.v1p2", "UCSDped1"), ucsd.EXPECTS),
    "ucsd-ped2": Layout(*_UCSD, ("UCSD_Anomaly_Dataset.v1p2", "UCSDped2"), ucsd.EXPECTS),
    "avenue": Layout(avenue.matches, avenue.open_layout, ("Avenue Dataset",), avenue.EXPECTS),
    "shanghaitech-published": Layout(
        shanghaitech_published.matches,
        shanghaitech_published.open_layout,
        ("shanghaitech_published",),
        shanghaitech_published.EXPECTS,
    ),
    "folder": Layout(folder.matches, folder.open_layout, (), folder.EXPECTS, any_folder=True),
}


def open_dataset(
    name: str, root: str | Path, *, allow_missing: bool = False, skip_unreadable: bool = False
) -> VideoDataset:
    """Open a data set that lies on disk.

    Parameters
    ----------
    name : {"shanghaitech", "synthcampus", "ucsd-ped1", "ucsd-ped2", "avenue", "shanghaitech-published", "folder"}
    root : path
        The set's own folder, or the archive's top folder, or the folder that was unpacked into.
    allow_missing : bool
        Open an incomplete copy as well. `dataset.missing` then says what is not there. Test clips of which only
        the labels are there stay in the frame table, with `Clip.path` None: enough for whatever looks at labels
        alone; `dataset.with_pictures()` is without them. Test clips without labels are left out.
    skip_unreadable : bool
        Leave out clips that do not open: empty files, files cut short, folders without frames or with some missing.
        `dataset.left_out` then says which, and why. Where that would be all clips of a split it is an error.

    Returns
    -------
    VideoDataset

    Raises
    ------
    ParameterError
        An unknown name.
    LayoutError
        A root that is missing, is not laid out as the data set is, or (without `allow_missing`) lacks a part of it.
    LabelError
        Labels that do not fit their clip, or cannot be read.
    UnreadableError
        A video that cannot be opened, or a folder that may not be.
    """
    layout = LAYOUTS.get(name)
    if layout is None:
        near = difflib.get_close_matches(str(name), LAYOUTS, n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ParameterError(f"name: one of {', '.join(LAYOUTS)} is expected, not {name!r}.{hint}")
    root = user_path(root)
    if not root.is_dir():
        raise LayoutError(_no_such_folder(name, root))
    try:
        home = find_dataset_folder(name, root)
        if home is None:
            raise LayoutError(_wrong_layout(name, layout, root))
        return layout.open_layout(name, home, Opening(allow_missing, skip_unreadable))
    except OSError as error:  # a folder that may not be entered, a disk that fails
        raise unreadable(root, error, name) from error


def unreadable(root: Path, error: OSError, name: str = "a data set") -> UnreadableError:
    """Put the system's error while a data set was looked for into words."""
    return UnreadableError(
        f"{name} in {root}: {printable(error.filename or root)} cannot be read: {error.strerror or error}. "
        "Check its permissions, and the disk."
    )


def find_dataset_folder(name: str, root: Path) -> Path | None:
    """The data set's own folder: root itself, or one in it as its archive has it; None where neither is laid out so."""
    layout = LAYOUTS[name]
    for depth in range(len(layout.folders) + 1):
        home = _descend(root, layout.folders[depth:])
        if home is not None and layout.matches(home, name):
            return home
    return None


def _descend(folder: Path, names: tuple[str, ...]) -> Path | None:
    """Follow folder names whatever their case; None where one is missing."""
    for name in names:
        children = {child.name.lower(): child for child in _subfolders(folder)}
        folder = children.get(name.lower())
        if folder is None:
            return None
    return folder


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def _no_such_folder(name: str, root: Path) -> str:
    if root.is_file():
        return f"root of {name}: {root} is a file. Unpack it, and give the folder."
    parent = next(folder for folder in (root, *root.parents) if folder.is_dir())
    there = [path.name for path in _subfolders(parent)]
    near = difflib.get_close_matches(root.relative_to(parent).parts[0], there, n=1)
    hint = f" Did you mean {parent / near[0]}?" if near else f" {parent} has {list_names(there)}."
    return f"root of {name}: {root} does not exist.{hint}"


def _wrong_layout(name: str, layout: Layout, root: Path) -> str:
    """Say what was looked for, what is there, and the nearest fix."""
    there = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    message = (
        f"{root} is not {name}: looked for {', '.join(layout.expects)} in it or in its "
        f"{'/'.join(layout.folders)}; there is {list_names(there)}. "
    )
    below = [child for place in _subfolders(root)[:50] for child in (place, *_subfolders(place)[:50])]
    for place in (*list(root.parents)[:3], *below):
        if layout.matches(place, name):
            return f"{message}{name} is in {place}: give that as root."
    for other, candidate in LAYOUTS.items():
        if not candidate.any_folder and candidate.folders != layout.folders and candidate.matches(root, other):
            return f"{message}It looks like {other}: open_dataset({other!r}, root)."
    lower = {entry.lower(): entry for entry in there}
    for top in (expected.split("/")[0] for expected in layout.expects):
        near = difflib.get_close_matches(top.lower(), lower, n=1)
        if near and top not in there:
            return f"{message}The nearest match is {lower[near[0]]!r}: rename it to {top!r}."
    return f"{message}Unpack the archive, and give the folder it was unpacked into."
