"""Which files and folders below a folder of one's own are clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vadlib.data.layouts.numbered import IMAGE_SUFFIXES
from vadlib.data.layouts.opening import count_and_list
from vadlib.data.reading.decoding import is_video
from vadlib.data.reading.files import SKIPPING, visible
from vadlib.errors import LayoutError, UnreadableError

MASK_ENDING = "_gt"  # UCSD's: Test001_gt lies beside Test001, and is no clip
SYSTEM_FOLDERS = (  # of archives, network drives and file systems
    "__MACOSX", "@eaDir", "#recycle", "#snapshot", "$RECYCLE.BIN", "System Volume Information", "lost+found",
)  # fmt: skip


@dataclass
class Search:
    """What lies below a folder."""

    clips: list[Path] = field(default_factory=list)  # videos and folders of frames, sorted
    masks: list[Path] = field(default_factory=list)  # folders of masks, which are no clips
    unreadable: dict[Path, str] = field(default_factory=dict)  # folders to be left out, and why they may not be read
    seen: dict[tuple[int, int], Path] = field(default_factory=dict)  # folders by their device and inode


def search_clips(folder: Path, *, skip_unreadable: bool = False) -> Search:
    """Look for clips below a folder, to any depth."""
    search = Search()
    search.clips = sorted(_look_into(folder, search, skip_unreadable=skip_unreadable, top=True))
    return search


def list_visible(folder: Path) -> list[Path]:
    """List what lies in a folder, sorted, but for hidden files and folders of systems."""
    try:
        return sorted(path for path in folder.iterdir() if visible(path) and path.name not in SYSTEM_FOLDERS)
    except OSError as error:
        raise UnreadableError(
            f"{folder} cannot be listed: {error.strerror}. Check its permissions, {SKIPPING}."
        ) from error


def _look_into(folder: Path, search: Search, *, skip_unreadable: bool, top: bool = False) -> list[Path]:
    """Clips in a folder and below; notes in `search` what else there is."""
    try:
        entries, identity = list_visible(folder), _identity(folder)
        folders = [entry for entry in entries if entry.is_dir()]
        films = [entry for entry in entries if is_video(entry)]
    except (UnreadableError, OSError) as error:
        if isinstance(error, OSError):
            error = UnreadableError(
                f"{folder} cannot be looked into: {error.strerror}. Check its permissions, {SKIPPING}."
            )
        if top or not skip_unreadable:
            raise error from None
        search.unreadable[folder] = str(error)
        return []
    first = search.seen.setdefault(identity, folder)
    if first is not folder:
        raise LayoutError(f"{folder} is the same folder as {first}, by a link. Remove one of them.")
    names = {entry.name for entry in folders}
    masks = [
        entry for entry in folders if entry.name.endswith(MASK_ENDING) and entry.name.removesuffix(MASK_ENDING) in names
    ]
    search.masks += masks
    inside = [
        path
        for entry in folders
        if entry not in masks
        for path in _look_into(entry, search, skip_unreadable=skip_unreadable)
    ]
    pictures = [entry for entry in entries if entry.suffix.lower() in IMAGE_SUFFIXES and entry not in folders]
    if top or films or not pictures:
        return films + inside
    if inside:
        clips = count_and_list([path.name for path in inside])
        raise LayoutError(
            f"{folder} holds pictures ({pictures[0].name} …) and also {clips} in "
            "folders. A folder of frames has none: move one of the two."
        )
    return [folder]


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino
