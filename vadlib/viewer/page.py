"""The clip viewer: one HTML file that plays clips under their heatmaps and scores, opened without a server.

Style, script, scores and videos are all in it. Its Content-Security-Policy allows it no request whatever.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pandas as pd

from vadlib.detectors import catalogue
from vadlib.errors import ParameterError, ResultsError
from vadlib.figures.style import ANOMALOUS, NORMAL
from vadlib.storage import write_atomically
from vadlib.viewer import data as checked
from vadlib.viewer import media
from vadlib.viewer.data import ViewerClip, heat_levels

__all__ = ["ViewerClip", "embed_viewer", "heat_levels", "viewer_address", "write_viewer"]

LONGEST_SIDE_PX = 320  # of pictures
NAME = "viewer.html"  # of the viewer among a chapter's results
_SAFE = "!'()*"  # letters that JavaScript's encodeURIComponent leaves, beside those that `quote` does
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
    colours: Mapping[str, str] | None = None,
    title: str = "Clip viewer",
    note: str = "",
    longest_side_px: int = LONGEST_SIDE_PX,
    max_bytes: int = 10_000_000,
) -> dict:
    """Write the viewer's file, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file, whose name ends in `.html`; `Experiment.attach("viewer.html", …)` gives one. It must not exist.
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
    colours : mapping of str to str, optional
        `#rrggbb` by detector, the catalogue's by default; those without get one that is still free.
    title, note : str
        The page's heading, and a sentence under it.
    longest_side_px : int
        Of the pictures.
    max_bytes : int
        For the file. Videos are coded more coarsely, then thinned out, until it holds, and the page says so; scores
        are never thinned out, and every clip keeps its whole length.

    Returns
    -------
    dict
        `bytes`, `n_clips`, `n_frames`, `n_pictures`, `every` (1: each frame has its picture), `quality` (of
        `media.QUALITIES`) and `summary`, the sentence on the page.

    Raises
    ------
    ParameterError
        Something does not fit, with the clip or detector; or the budget is too small for one picture a clip.
    ResultsError
        `path` is there already, or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".html":
        raise ParameterError(f"path: expected a name that ends in .html, found {path.name!r}")
    if path.exists():
        raise ResultsError(f"{path} exists already; give the path of a file to make.")
    tables = checked.tables_of_clips(scores, clips, detectors)
    heats = [checked.heat_of(clip, detectors) for clip in clips]
    found = checked.alarms_of_clips(alarms, tables, clips, detectors)
    described = checked.describe_detectors(
        tables,
        detectors,
        thresholds=thresholds,
        rule=threshold_rule,
        limits=heat_limits,
        colours=catalogue.colours() if colours is None else colours,
        heats=heats,
    )
    page = {
        "title": title,
        "detectors": described,
        "alarm_rule": alarm_rule,
        "colours": {"anomalous": ANOMALOUS, "normal": NORMAL},
        "inferno": checked.colour_map(),
        "perSecond": media.PER_SECOND,
        "clips": [
            checked.describe_clip(clip, table, detectors, heat, alarms)
            for clip, table, heat, alarms in zip(clips, tables, heats, found, strict=True)
        ],
    }
    videos = [media.encode(_pictures(clip, longest_side_px)) for clip in clips]
    lengths = [len(clip.frames) for clip in clips]
    widest = media.Plan(10**9)
    bare = page | {"every": widest.every, "summary": f"{note} {_summary(clips, widest, max_bytes)}"}
    plan, parts = media.fit(videos, heats, max(lengths), max_bytes - len(_html(bare)))
    for clip, part in zip(page["clips"], parts, strict=True):
        clip |= part
    summary = _summary(clips, plan, max_bytes)
    content = _html(page | {"every": plan.every, "summary": f"{note} {summary}".strip()})
    if len(content) > max_bytes:
        raise ParameterError(
            f"max_bytes: {max_bytes:,} are too few; {_counted(clips)} need {len(content):,} even with one picture a "
            "clip. Allow more, or show fewer clips."
        )
    try:
        write_atomically(path, content.decode())
    except OSError as error:
        raise ResultsError(f"The viewer could not be written to {path}: {error}.") from error
    return {
        "bytes": len(content),
        "n_clips": len(clips),
        "n_frames": sum(lengths),
        "n_pictures": sum(-(-n // plan.every) for n in lengths),
        "every": plan.every,
        "quality": plan.quality,
        "summary": summary,
    }


def embed_viewer(notebook: str) -> str:
    """HTML that shows a chapter's viewer on its page, in the page's theme, and a link to it in a window of its own.

    Parameters
    ----------
    notebook : str
        The chapter's name, such as `30_footage`; the viewer is attached to its results as `viewer.html`.
    """
    place = html.escape(viewer_address(notebook))
    return (
        '<p class="clip-viewer-link">'
        f'<a href="{place}" target="_blank" rel="noopener">Open the clip viewer in its own window</a></p>\n'
        f'<iframe class="clip-viewer" src="{place}" title="Clip viewer" loading="lazy" '
        'style="width: 100%; height: 960px; border: 1px solid #8886; border-radius: 4px"></iframe>\n'
        f"<script>{_TELL_THEME}</script>"
    )


def viewer_address(notebook: str, clip: str | None = None, frame: int = 0) -> str:
    """Where a chapter's viewer is, seen from the chapter's page; with a clip, opened at one of its frames."""
    place = f"../results/{quote(notebook)}/{NAME}"
    if clip is None:
        return place
    return f"{place}#{quote(clip, safe=_SAFE)}/{int(frame)}"


def _pictures(clip: ViewerClip, longest_side_px: int) -> Iterator[np.ndarray]:
    """A clip's pictures, checked one by one and brought down to size."""
    shape, n_given = None, 0
    for n_given, given in enumerate(clip.images, start=1):
        if n_given > len(clip.frames):
            raise ParameterError(f"clip {clip.id}: more pictures than its {len(clip.frames)} frames")
        image, name = np.asarray(given), f"clip {clip.id}, frame {clip.frames[n_given - 1]}"
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ParameterError(f"{name}: expected a uint8 (H, W, 3) RGB picture, found {image.dtype} {image.shape}")
        if shape not in (None, image.shape):
            raise ParameterError(f"{name}: its size is {image.shape[:2]}, but pictures before it are {shape[:2]}")
        shape = image.shape
        scale = min(1.0, longest_side_px / max(shape))
        size = [max(1, round(side * scale)) for side in shape[:2]]
        yield image if scale == 1 else cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    if n_given < len(clip.frames):
        raise ParameterError(f"clip {clip.id}: {n_given} pictures for {len(clip.frames)} frames; expected one each")


def _summary(clips: Sequence[ViewerClip], plan: media.Plan, max_bytes: int) -> str:
    budget = f"{_counted(clips)}; to keep the file under {max_bytes / 1e6:g} MB,"
    if plan.every > 1:
        return f"{budget} one picture for {plan.every} frames, coarsely coded."
    if plan.quality > media.QUALITIES[0]:
        return f"{budget} pictures are coded more coarsely."
    return f"{_counted(clips)}, each with its picture."


def _counted(clips: Sequence[ViewerClip]) -> str:
    n_clips, n_frames = len(clips), sum(len(clip.frames) for clip in clips)
    return f"{n_clips} clip{'s' * (n_clips != 1)}, {n_frames:,} scored frame{'s' * (n_frames != 1)}"


def _html(page: dict) -> bytes:
    """The page: style and script allowed by their digests, so that nothing else can run on it."""
    style, script = ((ASSETS / name).read_text(encoding="utf-8") for name in ("viewer.css", "viewer.js"))
    data = json.dumps(page, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":  # none may end the script element, or begin a comment in it
        data = data.replace(letter, f"\\u{ord(letter):04x}")
    policy = (
        f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; media-src blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    parts = {"title": html.escape(page["title"]), "policy": policy, "style": style, "script": script, "data": data}
    text = (ASSETS / "viewer.html").read_text(encoding="utf-8")
    # In one pass: what is put in is not looked at again.
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], text).encode()


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
