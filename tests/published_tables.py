"""Small made tables of the layout `shanghaitech-published`, in which the anomalies can be told by words and by speed."""

from pathlib import Path

import numpy as np
import pandas as pd

N_FRAMES = 40
SIZES = {"n_fit": 20, "n_test": 30, "n_fit_as_run": 20, "n_test_as_run": 25, "n_prototypes": 6, "n_drawn_as_run": 12}
SIZES |= {"n_dimensions": 6, "n_folds": 3, "square_px": 40, "mean_frames": 5, "n_splits": 5, "n_resamples": 50}
CLIPS = [f"{scene:02d}_{number:04d}" for scene in (1, 2, 3) for number in (1, 2, 3)]
EVENTS = pd.DataFrame(  # none in the last clip
    [(clip, 10 + i, 19 + i, ("running", "vehicle")[i % 2]) for i, clip in enumerate(CLIPS[:-1])],
    columns=["clip", "first", "last", "event"],
)
NORMAL_WORDS = ["person", "walking", "path", "tree", "bag", "phone", "bench", "talking", "standing", "coat"]
ANOMALOUS_WORDS = ["bicycle", "riding", "fast", "skateboard", "jumping", "chasing", "road", "rider", "wheel", "quickly"]


def frame_table() -> pd.DataFrame:
    table = pd.DataFrame(
        [(clip, frame, 0) for clip in CLIPS for frame in range(N_FRAMES)], columns=["clip", "frame", "label"]
    )
    for row in EVENTS.itertuples():
        table.loc[(table["clip"] == row.clip) & table["frame"].between(row.first, row.last), "label"] = 1
    return table


def box(split: str, clip: str, frame: int, person: int, x: int, height: int = 50) -> tuple:
    return split, clip, frame, person, x, 100, x + 20, 100 + height


def tables(seed: int = 0) -> dict[str, pd.DataFrame]:
    """By file: what `write_tables` writes."""
    rng = np.random.default_rng(seed)
    frames = frame_table()
    scores = frames.copy()
    for name, shift in (("stg_nf", 2.0), ("velocity", 1.0), ("pose", 0.5), ("deep", 0.0)):
        scores[name] = (rng.normal(size=len(frames)) + shift * frames["label"]).astype(np.float32)
    captions = frames.assign(
        caption=[
            " ".join(rng.choice(ANOMALOUS_WORDS if label and rng.random() < 0.8 else NORMAL_WORDS, 5))
            for label in frames["label"]
        ]
    )
    boxes = [
        box("train", f"{scene:02d}_{number:03d}", frame, person, 5 * person + (1 + person) * frame)
        for scene in (1, 2, 3)
        for number in (1, 2)
        for person in (1, 2)
        for frame in range(60)
    ]
    for clip, of_clip in frames.groupby("clip"):
        steps = np.where(of_clip["label"] == 1, 9, 2)
        boxes += [box("test", clip, frame, 7, x) for frame, x in enumerate(np.cumsum(steps))]
    columns = ["split", "clip", "frame", "person", "x0", "y0", "x1", "y1"]
    return {
        "frame_scores.parquet": scores,
        "events.csv": EVENTS,
        "captions.parquet": captions,
        "tracks.parquet": pd.DataFrame(boxes, columns=columns),
    }


def paper_arrays(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels, clip_labels = np.repeat([0, 1], 40), np.repeat([0, 1], 30)
    names = ("max_similarity", "mean_similarity", "topk_similarity", "distance_based", "fused_score")
    arrays = {"labels": labels, "padim_scores": rng.normal(size=80) + labels, "clip_test_labels": clip_labels}
    return arrays | {f"clip_{name}": rng.normal(size=60) + clip_labels for name in names}


def write_tables(folder: Path, **replaced: pd.DataFrame) -> Path:
    """Write them all, some replaced by name without ending; gives the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables().items():
        table = replaced.get(name.partition(".")[0], table)
        if name.endswith(".csv"):
            table.to_csv(folder / name, index=False)
        else:
            table.to_parquet(folder / name)
    (folder / "paper").mkdir(exist_ok=True)
    for name, array in paper_arrays().items():
        np.save(folder / "paper" / f"{name}.npy", array)
    return folder
