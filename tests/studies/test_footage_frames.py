import cv2
import numpy as np
import pandas as pd
import pytest

from vadlib.data import FrameReader, open_dataset
from vadlib.errors import UnreadableError
from vadlib.report.footage_page import facts_sentence, left_out_sentence
from vadlib.studies.footage_frames import check_enough_left, table_of_left_out


def test_facts_are_told_as_sentences():
    facts = {"labels": "none", "damage": "a.avi: it ends early", "camera gate": "none", "other cameras": "as well"}
    assert facts_sentence(facts) == "Damage: a.avi: it ends early. Camera gate: none. Other cameras: as well."


def write_frames(folder, n_frames, damaged=()):
    folder.mkdir(parents=True)
    for frame in range(n_frames):
        path = folder / f"{frame:03d}.png"
        assert cv2.imwrite(str(path), np.full((24, 32, 3), 10 * frame, np.uint8))
        if frame in damaged:
            path.write_bytes(path.read_bytes()[:30])


@pytest.fixture
def folder(tmp_path):
    """Of two normal clips and three to score: one of each that does not open, one with damaged frames, two whole."""
    write_frames(tmp_path / "normal/a", 4)
    write_frames(tmp_path / "gate", 6, damaged=(2, 5))
    write_frames(tmp_path / "yard", 3)
    (tmp_path / "normal/b.mp4").write_bytes(b"")
    (tmp_path / "c.mp4").write_bytes(b"\0" * 100)
    return tmp_path


def read(folder, **filters):
    dataset = open_dataset("folder", folder, skip_unreadable=True)
    reader = FrameReader(dataset, dataset.frame_table(), (24, 32), progress=False, skip_unreadable=True)
    with pytest.warns(UserWarning, match="Left out"):
        assert sum(len(batch.rows) for batch in reader) < reader.n_frames
    return dataset, reader


def test_everything_left_out_is_named(folder):
    dataset, reader = read(folder)
    table = table_of_left_out(dataset, [reader])
    assert [row[:3] for row in table.itertuples(index=False)] == [
        ("normal/b.mp4", "the footage to fit on", "the whole clip"),
        ("c.mp4", "the clips to score", "the whole clip"),
        ("gate", "the clips to score", "2 of 6 frames drawn"),
    ]
    for why in table["why"]:
        assert str(folder) not in why
    assert "gate/002.png" in table["why"].iloc[2]
    sentence = left_out_sentence(table)
    assert sentence.startswith(
        "Not seen, since it could not be read: of the footage to fit on, 1 clip: normal/b.mp4 (the whole clip); of the "
        "clips to score, 2 clips: c.mp4 (the whole clip), gate (2 of 6 frames drawn). "
    )


def test_nothing_left_out(folder):
    for path in (folder / "normal/b.mp4", folder / "c.mp4", folder / "gate/002.png", folder / "gate/005.png"):
        path.unlink()
    write_frames(folder / "gate2", 2)
    for path in sorted((folder / "gate").iterdir()):
        path.unlink()
    (folder / "gate").rmdir()
    dataset = open_dataset("folder", folder, skip_unreadable=True)
    reader = FrameReader(dataset, dataset.frame_table(), (24, 32), progress=False)
    list(reader)
    table = table_of_left_out(dataset, [reader, reader])
    assert len(table) == 0
    assert left_out_sentence(table) == ""


def test_many_are_counted(folder):
    rows = [(f"{n}.mp4", "the clips to score", "the whole clip", "broken") for n in range(9)]
    sentence = left_out_sentence(pd.DataFrame(rows, columns=["clip", "part of", "left out", "why"]))
    assert "9 clips: 0.mp4 (the whole clip), " in sentence
    assert "4.mp4 (the whole clip) and 4 more. The table" in sentence


def test_nothing_left_of_a_part_is_an_error(folder):
    _, reader = read(folder)
    check_enough_left(reader, "test", "to score")
    for frame in range(6):
        (folder / f"gate/{frame:03d}.png").write_bytes(b"none")
    for frame in range(3):
        (folder / f"yard/{frame:03d}.png").write_bytes(b"none")
    _, reader = read(folder)
    check_enough_left(reader, "train", "to fit on")
    with pytest.raises(
        UnreadableError, match="not one of the 9 frames to score can be read, so nothing is left of the"
    ):
        check_enough_left(reader, "test", "to score")
