"""The clip viewer: a page that plays clips under their heatmaps and scores, opened from a folder, without a server.

`index.html` holds style, script and scores; pictures and heatmaps lie beside it (see `vadlib.viewer.media`). The
page allows itself no request but for the files beside it (its Content-Security-Policy).
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from vadlib.errors import ParameterError, ResultsError
from vadlib.figures.style import ANOMALOUS, DETECTOR_COLOURS, NORMAL
from vadlib.storage import replace_folder
from vadlib.viewer import data as checked
from vadlib.viewer import media
from vadlib.viewer.data import ViewerClip, heat_levels

__all__ = ["ViewerClip", "embed_viewer", "heat_levels", "viewer_address", "write_viewer"]

# The book's theme is switched by hand, which an iframe does not see.
_TELL_THEME = """(() => {
  const frame = document.currentScript.previousElementSibling, page = document.documentElement;
  const tell = () => frame.contentWindow.postMessage({ vadlibTheme: page.dataset.theme }, "*");
  frame.addEventListener("load", tell);
  new MutationObserver(tell).observe(page, { attributes: true, attributeFilter: ["data-theme"] });
})();"""
ASSETS = files("vadlib.viewer") / "assets"


def write_viewer(
    path: str | os.PathLike,
    clips: Sequence[ViewerClip],
    scores: pd.DataFrame,
    detectors: Sequence[str],
    *,
    thresholds: Mapping[str, float] | None = None,
    threshold_rule: str = "",
    alarms: pd.DataFrame | None = None,
    alarm_rule: str = "",
    heat_limits: Mapping[str, tuple[float, float]] | None = None,
    colours: Mapping[str, str] = DETECTOR_COLOURS,
    title: str = "Clip viewer",
    note: str = "",
    longest_side_px: int = 320,
    max_bytes: int = 10_000_000,
) -> dict:
    """Write the viewer's folder, whole or not at all.

    Parameters
    ----------
    path : path-like
        Folder to make; `Experiment.attach` gives one. It must not exist, or be empty.
    clips : sequence of ViewerClip
    scores : DataFrame
        `clip`, `frame` and one column a detector, higher meaning more anomalous; `label` (0 normal, 1 anomalous) where
        truth is known, missing (NaN or -1) in all frames of a clip where it is not.
    detectors : sequence of str
        Those columns, in the order shown; the first is chosen when the page opens.
    thresholds : mapping of str to float, optional
        By detector; a frame reaches it when its score is at least that. A detector without one gets a threshold that
        5 % of the frames here reach, and the page says so.
    threshold_rule : str
        How they were chosen, as "99 % quantile of normal frames".
    alarms : DataFrame, optional
        `clip`, `detector`, `first`, `last`: frames inclusive, at the thresholds given. Without it, and once a reader
        has moved a threshold, each unbroken stretch of frames that reach it is an alarm.
    alarm_rule : str
        What those alarms are, as a clause: "An alarm ends below half the threshold and lasts at least 5 frames".
    heat_limits : mapping of str to (float, float), optional
        The scores at levels 0 and 255 of a detector's heatmaps, for the colour bar; levels themselves by default.
    colours : mapping of str to str
        `#rrggbb` by detector; those without get one that is still free.
    title, note : str
        The page's heading, and a sentence under it.
    longest_side_px : int
        Of the pictures.
    max_bytes : int
        For the whole folder. Pictures are coded more coarsely, then thinned out, until it holds, and the page says so;
        scores are never thinned out, and every clip keeps its whole length.

    Returns
    -------
    dict
        `bytes`, `files`, `n_clips`, `n_frames`, `n_pictures`, `every` (1: each frame has its picture), `quality`
        and `summary`, the sentence on the page.

    Raises
    ------
    ParameterError
        Something does not fit, with the clip or detector; or the budget is too small for one picture a clip.
    ResultsError
        `path` is not a new folder, or cannot be written.
    """
    path = Path(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise ResultsError(f"{path} exists already; give the path of a folder to make.")
    tables = checked.tables_of_clips(scores, clips, detectors)
    heats = [checked.heat_of(clip, detectors) for clip in clips]
    found = checked.alarms_of_clips(alarms, tables, clips, detectors)
    described = checked.describe_detectors(
        tables, detectors, thresholds=thresholds, rule=threshold_rule, limits=heat_limits, colours=colours, heats=heats
    )
    result: dict = {}

    def fill(folder: Path) -> None:
        with tempfile.TemporaryFile(dir=folder) as file:
            stores = [_store(media.PictureStore(file, longest_side_px), clip) for clip in clips]
            page = {
                "title": title,
                "detectors": described,
                "alarm_rule": alarm_rule,
                "colours": {"anomalous": ANOMALOUS, "normal": NORMAL},
                "inferno": checked.colour_map(),
                "sheet": {"block": media.BLOCK, "columns": media.COLUMNS, "pictures": media.PER_SHEET},
                "clips": [
                    checked.describe_clip(clip, table, detectors, heat, alarms)
                    for clip, table, heat, alarms in zip(clips, tables, heats, found, strict=True)
                ],
            }
            result.update(_write_within(folder, page, stores, heats, note, max_bytes))

    try:
        replace_folder(path, fill)
    except OSError as error:
        raise ResultsError(f"The viewer could not be written to {path}: {error}.") from error
    return result


def embed_viewer(notebook: str, *, attached: str = "viewer", height_px: int = 960) -> str:
    """HTML that shows a chapter's viewer on its page, in the page's theme, and a link to it in a window of its own.

    Parameters
    ----------
    notebook : str
        The chapter's name, such as `30_footage`.
    attached : str
        The name that the viewer was attached by.
    height_px : int
        Of the frame on the page.
    """
    place = html.escape(viewer_address(notebook, attached=attached))
    return (
        '<p class="clip-viewer-link">'
        f'<a href="{place}" target="_blank" rel="noopener">Open the clip viewer in its own window</a></p>\n'
        f'<iframe class="clip-viewer" src="{place}" title="Clip viewer" loading="lazy" '
        f'style="width: 100%; height: {int(height_px)}px; border: 1px solid #8886; border-radius: 4px"></iframe>\n'
        f"<script>{_TELL_THEME}</script>"
    )


def viewer_address(notebook: str, clip: str | None = None, frame: int = 0, *, attached: str = "viewer") -> str:
    """Where a chapter's viewer is, seen from the chapter's page; with a clip, opened at one of its frames.

    Parameters
    ----------
    notebook, attached : str
        As for `embed_viewer`.
    clip : str, optional
    frame : int
    """
    place = f"../results/{quote(notebook)}/{quote(attached)}/index.html"
    return place if clip is None else f"{place}#{_uri_component(clip)}/{int(frame)}"


def _uri_component(text: str) -> str:
    """As JavaScript's encodeURIComponent writes it."""
    return quote(text, safe="!'()*")


def _store(store: media.PictureStore, clip: ViewerClip) -> media.PictureStore:
    for image in clip.images:
        if len(store) == len(clip.frames):
            raise ParameterError(f"clip {clip.id}: more pictures than its {len(clip.frames)} frames")
        store.add(image, f"clip {clip.id}, frame {clip.frames[len(store)]}")
    if len(store) < len(clip.frames):
        raise ParameterError(f"clip {clip.id}: {len(store)} pictures for {len(clip.frames)} frames; expected one each")
    return store


def _write_within(folder: Path, page: dict, stores: list, heats: list, note: str, max_bytes: int) -> dict:
    """Write media and page by the first plan that keeps within the budget."""
    n_detectors = len(page["detectors"])
    n_frames = sum(map(len, stores))
    room = max_bytes - len(_html(page))
    for plan in media.plans(stores, heats, n_detectors, room):
        for former in folder.glob("clip_*"):
            former.unlink()
        n_bytes = n_pictures = 0
        for index, (clip, store, heat) in enumerate(zip(page["clips"], stores, heats, strict=True)):
            positions = media.positions_of(len(store), plan.every)
            n_bytes += media.write_clip(folder, index, store, heat, n_detectors, plan)
            n_pictures += len(positions)
            clip |= {
                "pictures": checked.as_text(positions.astype("<i4")),
                "size": store.size,
                "grid": store.grid,
                "sheets": -(-len(positions) // media.PER_SHEET),
            }
        summary = _summary(len(stores), n_frames, plan, max_bytes)
        content = _html(page | {"summary": f"{note} {summary}".strip()})
        n_bytes += len(content)
        if n_bytes <= max_bytes:
            (folder / "index.html").write_bytes(content)
            return {
                "bytes": n_bytes,
                "files": len(list(folder.iterdir())),
                "n_clips": len(stores),
                "n_frames": n_frames,
                "n_pictures": n_pictures,
                "every": plan.every,
                "quality": plan.quality,
                "summary": summary,
            }
    raise ParameterError(
        f"max_bytes: {max_bytes:,} are too few; {_counted(len(stores), n_frames)} need {n_bytes:,} even with one "
        "picture a clip. Allow more, or show fewer clips."
    )


def _summary(n_clips: int, n_frames: int, plan: media.Plan, max_bytes: int) -> str:
    said = _counted(n_clips, n_frames)
    budget = f"to keep the folder under {max_bytes / 1e6:g} MB"
    if plan.every > 1:
        return f"{said}; {budget}, one picture for {plan.every} frames, at JPEG quality {plan.quality}."
    if plan.quality < media.QUALITIES[0]:
        return f"{said}; {budget}, pictures are at JPEG quality {plan.quality}."
    return f"{said}, each with its picture."


def _counted(n_clips: int, n_frames: int) -> str:
    return f"{n_clips} clip{'s' * (n_clips != 1)}, {n_frames:,} scored frame{'s' * (n_frames != 1)}"


def _html(page: dict) -> bytes:
    """The page: style and script allowed by their digests, so that nothing else can run on it."""
    style, script = ((ASSETS / name).read_text(encoding="utf-8") for name in ("viewer.css", "viewer.js"))
    data = json.dumps(page, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":  # none may end the script element, or begin a comment in it
        data = data.replace(letter, f"\\u{ord(letter):04x}")
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)} 'self' file:; "
        "img-src 'self' file:; base-uri 'none'; form-action 'none'"
    )
    parts = {"title": html.escape(page["title"]), "policy": policy, "style": style, "script": script, "data": data}
    text = (ASSETS / "viewer.html").read_text(encoding="utf-8")
    # In one pass: what is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], text).encode()


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
