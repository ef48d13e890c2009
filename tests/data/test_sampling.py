import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vadlib.data import PROTOCOLS, draw
from vadlib.data.sampling import fill_evenly
from vadlib.errors import ParameterError

COUNTS = {"fit_normal": 30, "fit_abnormal": 20, "test_normal": 40, "test_abnormal": 30}


def make_table(seed: int = 0, n_scenes: int = 4, clips_per_scene: int = 5) -> pd.DataFrame:
    """Training and test clips of random lengths; the test clips have one anomalous stretch each."""
    rng = np.random.default_rng(seed)
    parts = []
    for scene in range(1, n_scenes + 1):
        for number in range(1, clips_per_scene + 1):
            for split, clip_id in (("train", f"{scene:02d}_{number:03d}"), ("test", f"{scene:02d}_{number:04d}")):
                n_frames = int(rng.integers(10, 30))
                label = np.zeros(n_frames, np.int8)
                if split == "test":
                    first = int(rng.integers(1, n_frames - 6))
                    label[first : first + 5] = 1
                columns = {"clip": clip_id, "split": split, "scene": f"{scene:02d}"}
                parts.append(pd.DataFrame({**columns, "frame": np.arange(n_frames), "label": label}))
    return pd.concat(parts).sort_values(["clip", "frame"]).reset_index(drop=True)


TABLE = make_table()


def keys(rows: pd.DataFrame) -> set:
    return set(zip(rows["clip"], rows["frame"], strict=True))


def count(rows: pd.DataFrame) -> tuple[int, int]:
    return int((rows["label"] == 0).sum()), int((rows["label"] == 1).sum())


def drawn(protocol: str, table: pd.DataFrame = TABLE, **options):
    counts = COUNTS | ({"fit_abnormal": 0} if protocol == "official-split" else {}) | options
    return draw(table, protocol, **counts)


def all_tests(split) -> pd.DataFrame:
    return pd.concat([fold.test for fold in split.folds]).sort_index()


@pytest.mark.parametrize("protocol", PROTOCOLS)
class TestEveryProtocol:
    @settings(max_examples=20)
    @given(seed=st.integers(0, 2**40), counts=st.tuples(*[st.integers(1, 50)] * 4))
    def test_counts_are_exact_and_rows_are_the_tables(self, protocol, seed, counts):
        fit_normal, fit_abnormal, test_normal, test_abnormal = counts
        if protocol == "official-split":
            fit_abnormal = 0
        if protocol == "reused-frames":
            fit_normal, fit_abnormal = min(fit_normal, test_normal), min(fit_abnormal, test_abnormal)
        if protocol.startswith("disjoint"):
            fit_abnormal = min(fit_abnormal, 40)  # of 100, less what the fold has
        split = draw(TABLE, protocol, fit_normal, fit_abnormal, test_normal, test_abnormal, seed, n_folds=4)
        assert count(all_tests(split)) == (test_normal, test_abnormal)
        for fold in split.folds:
            assert count(fold.fit) == (fit_normal, fit_abnormal)
            for rows in (fold.fit, fold.test):
                assert rows.equals(TABLE.loc[rows.index])  # the index is kept, and so is everything else
                assert rows.index.is_monotonic_increasing  # the table is in (clip, frame) order
                assert rows.index.is_unique
            assert set(fold.test["split"]) == {"test"}
            assert set(fold.fit["split"]) == {"train" if protocol == "official-split" else "test"}

    @settings(max_examples=10)
    @given(seed=st.integers(0, 2**40))
    def test_what_fit_and_test_frames_share(self, protocol, seed):
        for fold in drawn(protocol, seed=seed, n_folds=3).folds:
            shared_frames = keys(fold.fit) & keys(fold.test)
            shared_clips = set(fold.fit["clip"]) & set(fold.test["clip"])
            shared_scenes = set(fold.fit["scene"]) & set(fold.test["scene"])
            if protocol == "reused-frames":
                assert keys(fold.fit) <= keys(fold.test)
            else:
                assert not shared_frames
            if protocol in ("official-split", "disjoint-clips", "disjoint-scenes"):
                assert not shared_clips
            if protocol == "disjoint-scenes":
                assert not shared_scenes

    def test_same_seed_same_rows(self, protocol):
        first, second = (drawn(protocol, seed=5, n_folds=3).folds for _ in range(2))
        for one, other in zip(first, second, strict=True):
            assert one.fit.equals(other.fit)
            assert one.test.equals(other.test)

    def test_order_of_the_table_does_not_matter(self, protocol):
        shuffled = TABLE.sample(frac=1, random_state=1)
        for first, second in zip(
            drawn(protocol, n_folds=3).folds, drawn(protocol, shuffled, n_folds=3).folds, strict=True
        ):
            assert first.fit.equals(second.fit)
            assert first.test.equals(second.test)

    def test_all_protocols_test_on_the_same_frames(self, protocol):
        assert keys(all_tests(drawn(protocol, n_folds=3))) == keys(drawn("reused-frames").test)

    def test_more_test_frames_contain_the_fewer(self, protocol):
        fewer = drawn(protocol, n_folds=3)
        more = drawn(protocol, n_folds=3, test_normal=60, test_abnormal=50)
        assert keys(all_tests(fewer)) < keys(all_tests(more))

    def test_none_is_all(self, protocol):
        split = drawn(protocol, n_folds=3, test_normal=None, test_abnormal=None)
        tested = TABLE[TABLE["split"] == "test"]
        expected = keys(tested) - (keys(split.fit) if protocol == "same-clips" else set())
        assert keys(all_tests(split)) == expected

    @pytest.mark.parametrize("parameter", ["test_normal", "test_abnormal", "fit_normal", "fit_abnormal"])
    def test_more_than_there_is(self, protocol, parameter):
        if (protocol, parameter) == ("official-split", "fit_abnormal"):
            message = r"fit_abnormal: 5,000 frames asked for, but under 'official-split' .* Pass fit_abnormal=0"
        else:
            message = rf"{parameter}: 5,000 frames asked for, [\d,]+ available \((normal|anomalous) .*\)"
        with pytest.raises(ParameterError, match=message):
            drawn(protocol, n_folds=3, **{parameter: 5000})

    @pytest.mark.parametrize(
        ("name", "value"), [("fit_normal", -1), ("test_normal", 2.5), ("seed", None), ("seed", -1)]
    )
    def test_what_is_no_count(self, protocol, name, value):
        with pytest.raises(ParameterError, match=f"{name}: a whole number of at least 0"):
            drawn(protocol, **{name: value})


def test_unknown_protocol():
    with pytest.raises(ParameterError, match=f"one of {', '.join(PROTOCOLS)} is expected, not 'same_clips'"):
        drawn("same_clips")


def test_nothing_to_test_on():
    with pytest.raises(ParameterError, match="nothing to test on"):
        draw(TABLE, test_normal=0, test_abnormal=0)
    with pytest.raises(ParameterError, match="no frames of test clips"):
        drawn("official-split", TABLE[TABLE["split"] == "train"])


def test_missing_column():
    with pytest.raises(ParameterError, match="column 'scene' is missing"):
        drawn("same-clips", TABLE.drop(columns="scene"))


class TestOfficialSplit:
    def test_scenes_have_equal_shares(self):
        shares = drawn("official-split", fit_normal=41).fit["scene"].value_counts()
        assert len(shares) == 4
        assert shares.max() - shares.min() == 1

    def test_a_small_scene_gives_all_it_has(self):
        table = TABLE[(TABLE["split"] == "test") | (TABLE["scene"] != "01") | (TABLE["frame"] == 0)]
        shares = drawn("official-split", table, fit_normal=65).fit["scene"].value_counts()
        assert shares.to_dict() == {"01": 5, "02": 20, "03": 20, "04": 20}

    def test_one_scene_is_uniform_over_frames(self):
        """Over many seeds every training frame comes equally often."""
        table = TABLE[TABLE["scene"] == "01"]
        n_train = (table["split"] == "train").sum()
        hits = sum(
            table.index.isin(
                drawn("official-split", table, fit_normal=10, test_normal=1, test_abnormal=1, seed=seed).fit.index
            )
            for seed in range(300)
        )
        hits = hits[(table["split"] == "train").to_numpy()]
        expected = 300 * 10 / n_train
        assert abs(hits - expected).max() < 5 * np.sqrt(expected)

    @given(st.lists(st.integers(0, 20), max_size=8), st.integers(0, 100), st.integers(0, 99))
    def test_fill_evenly(self, capacities, total, seed):
        capacities = np.array(capacities, np.int64)
        assume(total <= capacities.sum())
        shares = fill_evenly(capacities, total, np.random.default_rng(seed))
        assert shares.sum() == total
        assert ((shares >= 0) & (shares <= capacities)).all()
        if len(shares):  # who has room left has at most one less than anybody
            assert (shares[shares < capacities] >= shares.max() - 1).all()


class TestSameClips:
    def test_fit_none_is_what_the_test_frames_leave(self):
        split = drawn("same-clips", fit_normal=None, fit_abnormal=None)
        assert len(split.fit) + len(split.test) == (TABLE["split"] == "test").sum()
        assert not keys(split.fit) & keys(split.test)

    def test_fit_and_test_none(self):
        with pytest.raises(ParameterError, match="fit_normal, test_normal: both are None"):
            drawn("same-clips", fit_normal=None, test_normal=None)

    def test_message_says_what_the_test_frames_take(self):
        with pytest.raises(
            ParameterError, match=r"fit_abnormal: 80 .*, 70 available .* besides the 30 of test_abnormal"
        ):
            drawn("same-clips", fit_abnormal=80)


class TestDisjoint:
    def test_clips_of_a_scene_are_dealt_evenly(self):
        split = drawn("disjoint-clips", test_normal=None, test_abnormal=None, n_folds=5)
        clips = pd.concat([fold.test.assign(fold=i) for i, fold in enumerate(split.folds)]).drop_duplicates("clip")
        assert len(clips) == 20
        assert (clips.groupby(["scene", "fold"]).size() == 1).all()  # five clips a scene, five folds

    def test_each_frame_is_tested_once(self):
        for protocol in ("disjoint-clips", "disjoint-scenes"):
            split = drawn(protocol, test_normal=None, test_abnormal=None, n_folds=3)
            assert all_tests(split).index.is_unique

    def test_a_fold_without_test_frames_is_left_out(self):
        assert len(drawn("disjoint-clips", test_normal=1, test_abnormal=0).folds) == 1

    @pytest.mark.parametrize(
        ("protocol", "n_folds", "message"),
        [
            ("disjoint-scenes", 5, r"n_folds: 5 asked for under 'disjoint-scenes'; .* 4 scene\(s\)\. Ask for 2 to 4"),
            ("disjoint-clips", 21, r"20 clip\(s\)\. Ask for 2 to 20"),
            ("disjoint-clips", 1, "Ask for 2 to 20"),
        ],
    )
    def test_number_of_folds(self, protocol, n_folds, message):
        with pytest.raises(ParameterError, match=message):
            drawn(protocol, n_folds=n_folds)

    def test_one_scene_only(self):
        with pytest.raises(ParameterError, match=r"1 scene\(s\)\. Choose another protocol"):
            drawn("disjoint-scenes", TABLE[TABLE["scene"] == "01"], n_folds=2)

    def test_fit_and_test_of_several_folds(self):
        split = drawn("disjoint-clips")
        for name in ("fit", "test"):
            with pytest.raises(
                ParameterError, match=rf"split\.{name}: protocol 'disjoint-clips' has 5 folds.*for fold in"
            ):
                getattr(split, name)


class TestUnlabelled:
    @pytest.fixture
    def partly(self):
        """The table, with the test clips of scene 02 unlabelled."""
        table = TABLE.copy()
        table.loc[(table["split"] == "test") & (table["scene"] == "02"), "label"] = -1
        return table

    @pytest.mark.parametrize("protocol", PROTOCOLS)
    def test_they_are_drawn_only_where_asked_for(self, partly, protocol):
        asked = {"test_normal": 20, "test_abnormal": 20, "fit_normal": 10}
        asked["fit_abnormal"] = 0 if protocol == "official-split" else 10
        asked["n_folds"] = 4
        without = drawn(protocol, partly, **asked)
        assert set(all_tests(without)["label"]) == {0, 1}
        split = drawn(protocol, partly, **asked, test_unlabelled=15)
        assert all_tests(split)["label"].value_counts().to_dict() == {0: 20, 1: 20, -1: 15}
        assert {label for fold in split.folds for label in fold.fit["label"]} <= {0, 1}
        labelled = all_tests(split)
        assert labelled[labelled["label"] >= 0].equals(all_tests(without))  # the other draws stay as they were
        everything = all_tests(drawn(protocol, partly, **asked, test_unlabelled=None))
        assert (everything["label"] == -1).sum() == (partly["label"] == -1).sum()

    def test_classes_that_are_not_there(self):
        table = TABLE.copy()
        table.loc[table["split"] == "test", "label"] = -1
        with pytest.raises(ParameterError, match="no frame of the test clips has a label.*test_unlabelled=None"):
            drawn("official-split", table)
        with pytest.raises(ParameterError, match="test_normal: 40 frames asked for, 0 available"):
            drawn("official-split", table, test_unlabelled=1)
        split = drawn("official-split", table, test_normal=None, test_abnormal=None, test_unlabelled=None)
        assert len(split.test) == (table["split"] == "test").sum()
