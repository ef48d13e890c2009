import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.data import PROTOCOLS
from vadlib.errors import ParameterError
from vadlib.report.words.protocols import draws_sentence
from vadlib.studies.draws import draw_protocols, frames_of_clip, typical_clip


def make_table(n_scenes=3, n_clips=4, n_frames=20, n_anomalous=6, n_train=2) -> pd.DataFrame:
    """Test clips with their last frames anomalous, training clips without any."""
    parts = []
    for scene in range(n_scenes):
        for split, count in (("test", n_clips), ("train", n_train)):
            for number in range(count):
                columns = {"clip": f"{scene}_{number}_{split}", "split": split, "scene": f"s{scene}"}
                label = (np.arange(n_frames) >= n_frames - n_anomalous) & (split == "test")
                parts.append(pd.DataFrame({**columns, "frame": np.arange(n_frames), "label": label.astype(np.int8)}))
    return pd.concat(parts, ignore_index=True)


def drawn(table, protocols=PROTOCOLS, **changed):
    counts = {"fit_official": 10, "fit_each": 8, "test_normal": 30, "test_abnormal": 20, "n_folds": 3} | changed
    return draw_protocols(table, protocols, **counts)


def test_what_can_be_had_is_drawn_as_asked():
    draws = drawn(make_table())
    assert list(draws.splits) == list(PROTOCOLS)
    assert draws.changes == ()
    assert draws.left_out == {}
    assert draws_sentence(draws) == "Here each has the frames that the profile asks for."
    assert len(draws.tested) == 50
    assert draws.tested.equals(draws.splits["reused-frames"].test)
    for name, split in draws.splits.items():
        expected = (10, 0) if name == "official-split" else (8, 8)
        for fold in split.folds:
            assert ((fold.fit["label"] == 0).sum(), fold.fit["label"].sum()) == expected


@settings(max_examples=30)
@given(
    shape=st.tuples(st.integers(2, 3), st.integers(1, 3), st.integers(6, 12), st.integers(2, 4)),
    fit=st.integers(1, 200),
    tests=st.tuples(*[st.none() | st.integers(1, 200)] * 2),
    n_folds=st.integers(2, 9),
    seed=st.integers(0, 50),
)
def test_any_counts_are_brought_down_to_the_most_there_is(shape, fit, tests, n_folds, seed):
    table = make_table(*shape)
    asked = {"fit_official": fit, "fit_each": fit, "test_normal": tests[0], "test_abnormal": tests[1]}
    draws = draw_protocols(table, **asked, n_folds=n_folds, seed=seed)
    assert list(draws.splits) == list(PROTOCOLS)
    for name, split in draws.splits.items():
        for fold in split.folds:
            for label in (0, 1):
                n_fit = int((fold.fit["label"] == label).sum())
                assert n_fit == 0 if (name, label) == ("official-split", 1) else 0 < n_fit <= fit
        pooled = pd.concat([fold.test for fold in split.folds])
        if name != "same-clips":
            for label, wanted in enumerate(tests):
                there = int(((table["split"] == "test") & (table["label"] == label)).sum())
                assert (pooled["label"] == label).sum() == min(there, there if wanted is None else wanted)
        assert draws.tested.index.isin(pooled.index).all()


def test_what_was_changed_is_said():
    draws = drawn(make_table(), ("same-clips", "disjoint-scenes"), fit_each=60, test_abnormal=500, n_folds=5)
    assert set(draws.changes) == {
        "same-clips, 36 anomalous fit frames instead of 60",  # half of 72, as all are asked for
        "same-clips, all anomalous test frames, which are no more than the 500 asked for",
        "disjoint-scenes, 48 anomalous fit frames instead of 60",  # those of the two other scenes
        "disjoint-scenes, all anomalous test frames, which are no more than the 500 asked for",
        "disjoint-scenes, 3 folds instead of 5",
    }
    assert draws_sentence(draws).startswith("Brought down to what there is here: same-clips, 36 anomalous fit frames")
    assert len(draws.tested) == 30 + 36  # what same-clips leaves to test


def test_what_cannot_be_drawn_is_left_out_and_named():
    draws = drawn(make_table(n_scenes=1, n_train=0))
    assert draws.left_out == {
        "official-split": "there are no training clips here",
        "disjoint-scenes": "all test frames are of one scene",
    }
    assert "Left out, official-split: there are no training clips here." in draws_sentence(draws)


@pytest.mark.parametrize(
    ("protocols", "message"),
    [
        ([], r"protocols: none can be drawn here \(none was named\)"),
        (["official-split"], r"\(official-split: there are no training clips here\)"),
        (["same_clips"], "protocol: one of .* is expected, not 'same_clips'"),
    ],
)
def test_nothing_to_draw(protocols, message):
    with pytest.raises(ParameterError, match=message):
        drawn(make_table(n_train=0), protocols)


def test_typical_clip_has_both_classes_and_a_middle_length():
    lengths = {"a": 10, "b": 30, "c": 20, "d": 21, "e": 19}
    table = pd.concat([pd.DataFrame({"clip": clip, "frame": range(n)}) for clip, n in lengths.items()])
    tested = table[table["frame"] < 2].assign(label=lambda t: t["frame"])
    assert typical_clip(tested, table) == "c"
    tested.loc[tested["clip"] == "c", "label"] = 0
    assert typical_clip(tested, table) in {"d", "e"}
    assert typical_clip(tested.assign(label=0), table) == "c"


def test_frames_of_clip_are_those_of_the_fold_that_tests_it():
    draws = drawn(make_table())
    clip = typical_clip(draws.tested, make_table())
    for name, split in draws.splits.items():
        fit, test = frames_of_clip(split, clip)
        assert set(fit["clip"]) | set(test["clip"]) == {clip}
        assert test["frame"].tolist() == draws.tested.loc[draws.tested["clip"] == clip, "frame"].tolist()
        if name not in ("same-clips", "reused-frames"):
            assert fit.empty
        elif name == "reused-frames":
            assert set(fit["frame"]) <= set(test["frame"])
