"""Which files and folders below a folder of one's own are clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from vadlib.data.dataset import some
from vadlib.data.layouts.numbered import IMAGE_SUFFIXES
from vadlib.data.reading.decoding import is_video
from vadlib.data.reading.files import SKIPPING, visible
from vadlib.errors import LayoutError, UnreadableError

MASK_ENDING = "_gt"  # UCSD's: Test001_gt lies beside Test001, and is no clip
SYSTEM_FOLDERS = (  # of archives, network drives and file systems
    "__MACOSX", "@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found",
)  # fmt: skip


@dataclass
class Search:
    """What lies below a folder.

    Attributes
    ----------
    clips : list of Path
        Videos and folders of frames, sorted.
    masks : list of Path
        Folders of masks, which are no clips.
    unreadable : dict of Path to str
        Folders that may not be read, and why; only where they were to be left out.
    """

    clips: list[Path] = field(default_factory=list)
    masks: list[Path] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)


def search_clips(folder: Path, *, skip_unreadable: bool = False) -> Search:
    """Look for clips below a folder, to any depth."""
    walk = _Walk(skip_unreadable)
    listed = _list(folder)
    walk.seen[listed.identity] = folder
    below = walk.look_into(listed.folders)
    walk.search.clips = sorted([*listed.films, *below])
    return walk.search


def list_visible(folder: Path) -> list[Path]:
    """List what lies in a folder, sorted, but for hidden files and folders of systems."""
    try:
        return sorted(path for path in folder.iterdir() if visible(path) and path.name not in SYSTEM_FOLDERS)
    except OSError as error:
        raise UnreadableError(
            f"{folder} cannot be listed: {error.strerror}. Check its permissions, {SKIPPING}."
        ) from error


class _Listed(NamedTuple):
    identity: tuple[int, int]
    folders: list[Path]
    films: list[Path]
    pictures: list[Path]


def _list(folder: Path) -> _Listed:
    """What lies in a folder itself; raises UnreadableError where it may not be listed or, though listed, entered."""
    entries = list_visible(folder)
    try:
        status = folder.stat()
        folders = [entry for entry in entries if entry.is_dir()]
        films = [entry for entry in entries if is_video(entry)]
    except OSError as error:
        raise UnreadableError(
            f"{folder} cannot be looked into: {error.strerror}. Check its permissions, {SKIPPING}."
        ) from error
    pictures = [entry for entry in entries if entry.suffix.lower() in IMAGE_SUFFIXES and entry not in folders]
    return _Listed((status.st_dev, status.st_ino), folders, films, pictures)


class _Walk:
    def __init__(self, skip_unreadable: bool):
        self.skip_unreadable = skip_unreadable
        self.seen: dict[tuple[int, int], Path] = {}
        self.search = Search()

    def look_into(self, folders: list[Path]) -> list[Path]:
        """Clips in those folders; notes what else there is."""
        names = {folder.name for folder in folders}
        masks = [
            folder
            for folder in folders
            if folder.name.endswith(MASK_ENDING) and folder.name.removesuffix(MASK_ENDING) in names
        ]
        self.search.masks += masks
        return [path for folder in folders if folder not in masks for path in self.find_in(folder)]

    def find_in(self, folder: Path) -> list[Path]:
        try:
            listed = _list(folder)
        except UnreadableError as error:
            if not self.skip_unreadable:
                raise
            self.search.unreadable[folder] = str(error)
            return []
        first = self.seen.setdefault(listed.identity, folder)
        if first is not folder:
            raise LayoutError(f"{folder} is the same folder as {first}, by a link. Remove one of them.")
        inside, films, pictures = self.look_into(listed.folders), listed.films, listed.pictures
        if pictures and inside and not films:
            raise LayoutError(
                f"{folder} holds pictures ({pictures[0].name} …) and also {some([path.name for path in inside])} in "
                "folders. A folder of frames has none: move one of the two."
            )
        return [folder] if pictures and not films else films + inside
