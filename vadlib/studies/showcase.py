"""Pictures of a data set: its scenes, and its anomalies."""

import pandas as pd
from matplotlib.figure import Figure

from vadlib.data import VideoDataset, read_frame
from vadlib.evaluation import anomalous_stretches
from vadlib.figures import contact_sheet

LATEST_FRAME = 40  # of a clip, that a scene is shown by


def draw_scenes(videos: VideoDataset, frames: pd.DataFrame) -> Figure:
    """A frame of each scene, from the first clip of it in a frame table."""
    scenes = frames[frames["frame"] <= LATEST_FRAME].drop_duplicates("scene", keep="last")
    return contact_sheet(
        [read_frame(videos, row.clip, row.frame) for row in scenes.itertuples()],
        [f"scene {row.scene}, clip {row.clip}" for row in scenes.itertuples()],
    )


def draw_events(videos: VideoDataset, frames: pd.DataFrame) -> Figure:
    """The middle frame of the longest event of each kind, or of each clip where kinds are not named, with its mask."""
    stretches = videos.events if len(videos.events) else anomalous_stretches(frames)
    longest = stretches.assign(length=stretches["last"] - stretches["first"]).sort_values("length", ascending=False)
    longest = longest.drop_duplicates("event" if len(videos.events) else "clip").sort_values(["event", "clip"])
    middles = longest.assign(frame=(longest["first"] + longest["last"]) // 2)
    return contact_sheet(
        [read_frame(videos, row.clip, row.frame) for row in middles.itertuples()],
        [f"{row.event}: clip {row.clip}, frame {row.frame}" for row in middles.itertuples()],
        masks=[videos.pixel_mask(row.clip, row.frame) for row in middles.itertuples()],
    )
