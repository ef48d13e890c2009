"""Tables that others published of ShanghaiTech: read whole, or refused with file, column and clip."""

import hashlib

import numpy as np
import pandas as pd
import published_tables as made
import pytest

from vadlib.data import FrameReader, open_dataset
from vadlib.data.published.check import check_datasets
from vadlib.data.published.tables import (
    PUBLISHED_SCORES,
    SOURCES,
    read_captions,
    read_frame_scores,
    read_paper_arrays,
    read_tracks,
    table_sources,
)
from vadlib.errors import LabelError, LayoutError, UnreadableError, VadError

NAME = "shanghaitech-published"


@pytest.fixture
def folder(tmp_path):
    return made.write_tables(tmp_path / "shanghaitech_published")


def opened(folder):
    dataset = open_dataset(NAME, folder)
    return dataset, dataset.frame_table()


def test_labels_and_events(folder):
    dataset, table = opened(folder.parent)  # the folder that it lies in will do
    assert dataset.root == folder
    assert table[["clip", "frame", "label"]].to_numpy().tolist() == made.frame_table().to_numpy().tolist()
    assert set(table["split"]) == {"test"}
    assert table["scene"].tolist() == table["clip"].str[:2].tolist()
    assert dataset.events.to_dict("list") == made.EVENTS.to_dict("list")
    assert dataset.missing == ()
    assert [check.complete for check in check_datasets(folder)] == [True]
    with pytest.raises(LayoutError, match="labels only, no video"):
        FrameReader(dataset, table)


def test_rows_in_any_order(tmp_path):
    shuffled = {name.partition(".")[0]: table.sample(frac=1, random_state=3) for name, table in made.tables().items()}
    dataset, table = opened(made.write_tables(tmp_path / "a", **shuffled))
    other, same = opened(made.write_tables(tmp_path / "b"))
    assert dataset.fingerprint == other.fingerprint
    assert read_captions(dataset.root, table).tolist() == read_captions(other.root, same).tolist()
    pd.testing.assert_frame_equal(read_tracks(dataset.root, table), read_tracks(other.root, same))
    pd.testing.assert_frame_equal(read_frame_scores(dataset.root), read_frame_scores(other.root))


def test_the_tables_say_what_was_written(folder):
    _, table = opened(folder)
    written = made.tables()
    scores = read_frame_scores(folder)
    for name in PUBLISHED_SCORES:
        np.testing.assert_array_equal(scores[name], written["frame_scores.parquet"][name])
    assert read_captions(folder, table).tolist() == written["captions.parquet"]["caption"].tolist()
    tracks = read_tracks(folder, table)
    assert len(tracks) == len(written["tracks.parquet"])
    assert (tracks["scene"] == tracks["clip"].str[:2]).all()
    arrays = read_paper_arrays(folder)
    for name, array in made.paper_arrays().items():
        found = {
            "labels": arrays.padim_labels,
            "padim_scores": arrays.padim_scores,
            "clip_test_labels": arrays.clip_labels,
        }
        found |= {f"clip_{key}": value for key, value in arrays.clip_scores.items()}
        np.testing.assert_array_equal(found[name], array)


def test_sources_are_cited_with_their_digests(folder):
    found = table_sources(folder)
    assert len(found) == 4 + len(made.paper_arrays())
    for name, entry in found.items():
        assert entry["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert entry["repository"] == SOURCES[name.partition("/")[0]].repository
        assert entry["revision"]


def changed(file, column, value, row=3):
    table = made.tables()[file].copy()
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    return table


BROKEN = {  # what replaces a table: words that the message must have
    "score that is no number": ("frame_scores", ("stg_nf", np.nan), ["stg_nf", "01_0001", "frame 3", "finite"]),
    "score that is infinite": ("frame_scores", ("deep", np.inf), ["deep", "01_0001", "finite number"]),
    "label of another kind": ("frame_scores", ("label", 2), ["label", "01_0001", "0 or 1"]),
    "frame that is missing": (
        "frame_scores",
        ("frame", 77),
        ["column frame", "01_0001", "every frame of the clip once"],
    ),
    "frame that is half": ("frame_scores", ("frame", 2.5), ["column frame", "a whole number", "2.5"]),
    "clip of no scene": ("frame_scores", ("clip", "street"), ["column clip", "SS_NNNN", "street"]),
    "event after the end": ("events", ("last", 900), ["events.csv", "02_0001", "among the frames"]),
    "event that ends before": ("events", ("last", 2), ["events.csv", "02_0001", "among the frames"]),
    "events that are not the labels": ("events", ("last", 20), ["events.csv", "labels", "frame 21", "02_0001"]),
    "event without a name": ("events", ("event", ""), ["column event", "text that is not empty"]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_tables_that_cannot_be_opened(what, tmp_path):
    name, (column, value), words = BROKEN[what]
    file = "events.csv" if name == "events" else f"{name}.parquet"
    table = changed(file, column, value)
    if file.endswith(".parquet") and column in ("frame", "label"):
        table[column] = table[column].astype(float)
    elif file.endswith(".parquet") and column in PUBLISHED_SCORES:
        table[column] = table[column].astype(np.float32)
    folder = made.write_tables(tmp_path / "x", **{name: table})
    with pytest.raises(LabelError) as error:
        open_dataset(NAME, folder)
    for word in [file, *words]:
        assert word in str(error.value)


CAPTIONS = {
    "empty": (("caption", ""), ["column caption", "clip 01_0001", "frame 3", "text"]),
    "another label": (("label", 1), ["column label", "01_0001", "frame 3", "the label that frame_scores.parquet has"]),
    "another frame": (("frame", 900), ["column caption", "01_0001", "frame 3", "a caption of every frame"]),
    "a frame twice": (("frame", 4), ["column frame", "01_0001", "once"]),
}


@pytest.mark.parametrize("what", CAPTIONS)
def test_captions_that_do_not_fit(what, tmp_path):
    (column, value), words = CAPTIONS[what]
    table = changed("captions.parquet", column, value).astype({"frame": int, "label": int, "caption": str})
    folder = made.write_tables(tmp_path / "x", captions=table)
    with pytest.raises(LabelError) as error:
        read_captions(folder, opened(folder)[1])
    for word in ["captions.parquet", *words]:
        assert word in str(error.value)


def test_captions_of_frames_that_are_not_there(tmp_path):
    captions = made.tables()["captions.parquet"]
    extra = captions.iloc[[0]].assign(clip="05_0001")
    folder = made.write_tables(tmp_path / "x", captions=pd.concat([captions, extra]))
    with pytest.raises(LabelError, match="360 captions are expected, a frame each, not 361"):
        read_captions(folder, opened(folder)[1])


TRACKS = {
    "no split": (("split", "val"), ["column split", "train or test", "val"]),
    "no width": (("x1", -5), ["column x1", "more than x0"]),
    "no height": (("y1", 100), ["column y1", "more than y0"]),
    "a person twice": (("frame", 4), ["column person", "01_001", "once in a frame"]),
    "before the clip": (("frame", -1), ["column frame", "frames from 0"]),
    "a training clip that is tested": (
        ("clip", "01_0001"),
        ["column clip", "01_0001", "training clips that it has not"],
    ),
    "a person without number": (("person", 1.5), ["column person", "a whole number"]),
}


@pytest.mark.parametrize("what", TRACKS)
def test_tracks_that_do_not_fit(what, tmp_path):
    (column, value), words = TRACKS[what]
    table = changed("tracks.parquet", column, value)
    table[column] = table[column].astype(str if isinstance(value, str) else float)
    folder = made.write_tables(tmp_path / "x", tracks=table)
    with pytest.raises(LabelError) as error:
        read_tracks(folder, opened(folder)[1])
    for word in ["tracks.parquet", *words]:
        assert word in str(error.value)


def test_tracks_of_training_clips_are_needed(tmp_path):
    table = made.tables()["tracks.parquet"]
    folder = made.write_tables(tmp_path / "x", tracks=table[table["split"] == "test"])
    with pytest.raises(LabelError, match="boxes of training clips are expected"):
        read_tracks(folder, opened(folder)[1])


@pytest.mark.parametrize("name", ["frame_scores.parquet", "events.csv", "captions.parquet", "tracks.parquet"])
def test_a_column_that_is_missing_is_named(name, tmp_path):
    table = made.tables()[name]
    folder = made.write_tables(tmp_path / "x", **{name.partition(".")[0]: table.drop(columns=table.columns[-1])})
    frames = made.frame_table()
    readers = {"captions": lambda: read_captions(folder, frames), "tracks": lambda: read_tracks(folder, frames)}
    read = readers.get(name.partition(".")[0], lambda: open_dataset(NAME, folder))
    with pytest.raises(LayoutError, match=f"{name}.*{table.columns[-1]} is not among"):
        read()


@pytest.mark.parametrize(
    ("name", "values"), [("labels", [0, 2]), ("padim_scores", [1.0]), ("clip_fused_score", [np.nan] * 60)]
)
def test_paper_arrays_that_do_not_fit(name, values, folder):
    np.save(folder / "paper" / f"{name}.npy", np.array(values))
    with pytest.raises(LabelError, match=f"{name}.npy: "):
        read_paper_arrays(folder)


def test_damage_is_named_or_does_no_harm(folder):
    """Bits flipped and ends cut, anywhere: what is read is what was written, or an error that names the file."""
    rng = np.random.default_rng(0)
    _, frames = opened(folder)
    readers = {
        "frame_scores.parquet": lambda: read_frame_scores(folder),
        "captions.parquet": lambda: read_captions(folder, frames),
        "tracks.parquet": lambda: read_tracks(folder, frames),
        "events.csv": lambda: open_dataset(NAME, folder),
    }
    messages = []
    for case in range(80):
        name = list(readers)[case % len(readers)]
        content = (folder / name).read_bytes()
        broken = bytearray(content[: rng.integers(len(content))] if case % 8 < 4 else content)
        if len(broken) == len(content):
            place = rng.integers(len(broken))
            broken[place] ^= 1 << rng.integers(8)
        (folder / name).write_bytes(broken)
        try:
            readers[name]()
        except VadError as error:
            messages.append((name, str(error)))
        (folder / name).write_bytes(content)
    assert len(messages) > 40
    assert [message for name, message in messages if name not in message] == []


def test_a_folder_in_place_of_a_file(folder):
    (folder / "captions.parquet").unlink()
    with pytest.raises(UnreadableError, match="captions.parquet does not exist"):
        table_sources(folder)
    (folder / "captions.parquet").mkdir()
    with pytest.raises(UnreadableError, match="captions.parquet is no file"):
        read_captions(folder, opened(folder)[1])


def test_the_published_tables_themselves(shared_data):
    """The counts that the official masks have, and those of the sources."""
    root = shared_data / "shanghaitech_published"
    if not root.is_dir():
        pytest.skip(f"needs the published tables in {root.name}, which are not on this machine")
    dataset, table = opened(root)
    assert (table["clip"].nunique(), len(table), int(table["label"].sum())) == (107, 40_791, 17_326)
    assert (len(dataset.events), dataset.events["event"].nunique()) == (194, 17)
    assert read_captions(root, table).nunique() > 10_000
    tracks = read_tracks(root, table)
    assert len(tracks) == 963_947
    assert tracks.groupby("split")["clip"].nunique().to_dict() == {"test": 107, "train": 330}
    masks = open_dataset("shanghaitech", shared_data / "shanghaitech", allow_missing=True).frame_table()
    masks = masks[masks["split"] == "test"]
    assert (
        masks[["clip", "frame", "label"]].to_numpy().tolist() == table[["clip", "frame", "label"]].to_numpy().tolist()
    )
