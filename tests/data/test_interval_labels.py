import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadlib.data.dataset import Clip
from vadlib.data.labels.intervals import Interval, label_clips, read_intervals
from vadlib.errors import LabelError


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "labels.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def clips(**lengths):
    return [
        Clip(name, "train" if name.startswith("normal") else "test", "s", Path(name), n, 25)
        for name, n in lengths.items()
    ]


def labels_of(rows, **lengths):
    intervals = [Interval(line, *row, "event") for line, row in enumerate(rows, start=2)]
    found = clips(**lengths)
    names = {clip.id: (f"sub/{clip.id}.mp4", f"{clip.id}.mp4") for clip in found}
    return label_clips(Path("labels.csv"), intervals, found, names)


@pytest.mark.parametrize(
    "text",
    [
        "clip,first,last,event\na,1,2,bicycle\nb c,3,3,\nd,,,\n",
        "clip,first,last,event\r\na,1,2,bicycle\r\n\r\nb c,3,3\r\nd,,",
        "\ufeffClip;First;Last;Event\na;1;2;bicycle\n b c ; 3 ; 3 ;\nd;;\n",
        "event\tlast\tfirst\tclip\nbicycle\t2\t1\ta\n\t3\t3\tb c\n\t\t\td\n",
        'note,clip,first,last,event\n"x, y",a,1,2,bicycle\n,b c,3,3,\n,d,,,\n',
    ],
)
def test_forms(table, text):
    assert [interval[1:5] for interval in read_intervals(table(text))] == [
        ("a", 1, 2, "bicycle"),
        ("b c", 3, 3, "anomaly"),
        ("d", None, None, "anomaly"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "columns clip, first, last are expected in its first line, found nothing"),
        ("clip,start,end\n", "columns clip, first, last are expected in its first line, found 'clip, start, end'"),
        ("a,1,2\n", "found 'a, 1, 2'"),
        ("clip,first,last,first\n", "are expected"),
        ("clip,first,last\na,2,1\n", "line 2: 'a,2,1' is no interval"),
        ("clip,first,last\na,1,2\nb,-1,2\n", "line 3: 'b,-1,2'"),
        ("clip,first,last\na,1.5,2\n", "'a,1.5,2'"),
        ("clip,first,last\na,1,\n", "'a,1,'"),
        ("clip,first,last\na\n", "'a,,' is no interval"),
        ("clip,first,last\n,1,2\n", "',1,2'"),
        ("clip,first,last\na,1,99999999999999999999\n", "is no interval"),
        ("clip,first,last\na,²,3\n", "is no interval"),
        ('clip,first,last\n"a,1,2\n', "Rows like clip,first,last"),
    ],
)
def test_what_is_no_table_of_intervals(table, text, message):
    with pytest.raises(LabelError, match=rf"labels\.csv.*{message}"):
        read_intervals(table(text))


def test_what_is_no_text(table):
    with pytest.raises(LabelError, match=r"labels\.csv is not text in utf-8-sig.*Save it again"):
        read_intervals(table("clip,first,last\ngröße,1,2\n", "latin-1"))


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)).map(sorted), max_size=6))
def test_labels_are_the_union_of_the_intervals(spans):
    labels, events = labels_of([("a", *span) for span in spans], a=12, b=3, normal=2)
    expected = [int(any(first <= frame <= last for first, last in spans)) for frame in range(12)]
    assert labels["a"].tolist() == (expected if spans else [-1] * 12)
    assert labels["b"].tolist() == [-1] * 3
    assert labels["normal"].tolist() == [0, 0]
    assert events[["first", "last"]].to_numpy().tolist() == [list(span) for span in spans]


def test_looked_at_and_nothing_there():
    labels, events = labels_of(
        [("a", None, None), ("b", 1, 1), ("b", None, None), ("normal", None, None)], a=2, b=3, normal=1
    )
    assert {name: values.tolist() for name, values in labels.items()} == {"a": [0, 0], "b": [0, 1, 0], "normal": [0]}
    assert len(events) == 1


@pytest.mark.parametrize("name", ["größe", "größe.mp4", "sub/größe.mp4", ".\\sub\\größe.mp4"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names(name, form):
    labels, _ = labels_of([(unicodedata.normalize(form, name), 0, 0)], größe=2)
    np.testing.assert_array_equal(labels["größe"], [1, 0])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a", 1, 12), "line 2: frames 1 to 12 of a, which has frames 0 to 11"),
        (("normal", 0, 0), r"frames 0 to 0 of normal, which lies in normal/"),
        (("alarm", 0, 0), "no clip is called 'alarm'"),
        (("sub/a.mp5", 0, 0), r"no clip is called 'sub/a\.mp5'. Did you mean sub/a\.mp4"),
    ],
)
def test_intervals_of_no_clip(row, message):
    with pytest.raises(LabelError, match=message):
        labels_of([row], a=12, normal=3)


def test_names_of_several_clips():
    found = clips(x_a=2, y_a=2)
    names = {"x_a": ("x/a.mp4", "a"), "y_a": ("y/a.mp4", "a")}
    with pytest.raises(LabelError, match="line 7: 'a' may be any of x_a, y_a; write one of those"):
        label_clips(Path("labels.csv"), [Interval(7, "a", 0, 0, "")], found, names)
