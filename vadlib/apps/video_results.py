"""What is kept of one video that was scored: its timeline, and what was found in it."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from vadlib.apps.saved_run import ScoreOptions
from vadlib.data import Clip
from vadlib.errors import ResultsError
from vadlib.figures import make_readable, timeline


def check_finite(table: pd.DataFrame, names: list[str]) -> None:
    """Refuse scores that are no numbers."""
    for name in names:
        wrong = table.loc[~np.isfinite(table[name])]
        if len(wrong):
            row = wrong.iloc[0]
            raise ResultsError(
                f"{name} is not finite for {len(wrong)} frames of {row['clip']}, first frame {row['frame']}. "
                "The saved detector is damaged, or was fitted on something else: fit it again."
            )


def save_timeline(place: Path, clip: Clip, table: pd.DataFrame, options: ScoreOptions) -> None:
    """Draw a video's scores over time, as SVG and PNG."""
    scores = np.full(clip.n_frames, np.nan)
    scores[table["frame"]] = table[options.score]
    threshold = options.threshold
    figure = timeline(
        scores,
        clip.fps,
        title=clip.id,
        ylabel=f"score: {options.score}",
        threshold=None if threshold is None else threshold.value,
        note="No threshold: the run has no scores of normal frames."
        if threshold is None
        else f"Threshold: {threshold}.",
    )
    make_readable(figure)
    with mpl.rc_context({"svg.hashsalt": clip.id}):  # the same figure, the same bytes
        figure.savefig(place / "timeline.svg", metadata={"Date": None})
        figure.savefig(place / "timeline.png", metadata={"Software": None}, dpi=150)
    plt.close(figure)


def describe_video(clip: Clip, table: pd.DataFrame, options: ScoreOptions) -> dict:
    """What was found in a video, for `metrics.json`."""
    facts = {
        "clip": clip.id,
        "path": clip.path,
        "frames": clip.n_frames,
        "fps": clip.fps,
        "skipped": clip.n_frames - len(table),
    }
    if not len(table):
        return facts
    highest = table.loc[table[options.score].idxmax()]
    if options.threshold is not None:
        facts["above_threshold"] = int((table[options.score] > options.threshold.value).sum())
    return facts | {
        "highest": {"frame": highest["frame"], "second": highest["second"], "score": highest[options.score]}
    }
