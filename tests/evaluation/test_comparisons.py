import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vadlib.errors import ParameterError
from vadlib.evaluation import (
    Interval,
    auroc,
    auroc_over_seeds,
    bootstrap_auroc,
    bootstrap_difference,
    compare_all,
    holm,
    spread_over_seeds,
)


def holm_step_by_step(p_values, alpha):
    """Holm's procedure as he wrote it: from the smallest on, reject until one is too large; then stop."""
    rejected = set()
    for i, index in enumerate(sorted(range(len(p_values)), key=lambda j: p_values[j])):
        if p_values[index] > alpha / (len(p_values) - i):
            break
        rejected.add(index)
    return rejected


def test_holm_by_hand():
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, 0.9]), [1.0, 1.0])
    assert holm([0.2])[0] == 0.2


@settings(max_examples=100)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12), st.integers(1, 300))
def test_holm_rejects_what_the_procedure_rejects(thousandths, alpha):
    p_values = [value / 1000 for value in thousandths]
    alpha = (alpha + 0.5) / 1000  # no tie with (m - i + 1) p, which rounding would decide
    assert set(np.flatnonzero(holm(p_values) <= alpha)) == holm_step_by_step(p_values, alpha)


@pytest.mark.parametrize("wrong", [[], [0.5, 1.1], [np.nan], [[0.1]]])
def test_holm_refuses(wrong):
    with pytest.raises(ParameterError, match=r"p_values must be numbers in \[0, 1\]"):
        holm(wrong)


@pytest.fixture
def detectors(make_clips):
    """One good, two alike but not the same, one that mirrors a clip's luck only."""
    labels, base, clips = make_clips(0, n_clips=20, ties=False)
    rng = np.random.default_rng(0)
    scores = {
        "good": labels * 3 + rng.normal(size=len(labels)),
        "one": base,
        "other": base + 0.3 * rng.normal(size=len(labels)),
    }
    return labels, scores, clips


def test_each_row_is_the_paired_difference(detectors):
    labels, scores, clips = detectors
    table = compare_all(labels, scores, clusters=clips, n_resamples=400, seed=3)
    assert list(zip(table["a"], table["b"], strict=True)) == [("good", "one"), ("good", "other"), ("one", "other")]
    for row in table.itertuples():
        alone = bootstrap_difference(labels, scores[row.a], scores[row.b], clusters=clips, n_resamples=400, seed=3)
        assert (row.estimate, row.low, row.high) == pytest.approx((alone.estimate, alone.low, alone.high), abs=1e-12)
        assert row.estimate == pytest.approx(auroc(labels, scores[row.a]) - auroc(labels, scores[row.b]))
        assert (row.low > 0 or row.high < 0) == (row.p_value <= 0.05)
    np.testing.assert_allclose(table["p_adjusted"], holm(table["p_value"]))
    assert table["better"].tolist() == ["good", "good", ""]


def test_order_of_detectors_only_changes_signs(detectors):
    labels, scores, clips = detectors
    forwards = compare_all(labels, pd.DataFrame(scores), clusters=clips, n_resamples=400)
    backwards = compare_all(labels, pd.DataFrame(scores)[["other", "one", "good"]], clusters=clips, n_resamples=400)
    np.testing.assert_allclose(forwards["estimate"], -backwards["estimate"][::-1])
    np.testing.assert_allclose(forwards["low"], -backwards["high"][::-1])
    np.testing.assert_allclose(forwards["p_adjusted"], backwards["p_adjusted"][::-1])
    assert forwards["better"].tolist() == backwards["better"].tolist()[::-1]


def test_the_same_detector_twice_is_never_better(detectors):
    labels, scores, clips = detectors
    row = compare_all(labels, {"a": scores["one"], "b": np.exp(scores["one"])}, clusters=clips, n_resamples=99).iloc[0]
    assert (row.estimate, row.low, row.high, row.p_value, row.better) == (0, 0, 0, 1, "")


def test_the_correction_withdraws_chance_verdicts(detectors):
    """Tables of eight detectors that are all alike: without it most hold a false verdict, with it hardly one does."""
    labels, _, clips = detectors
    rng = np.random.default_rng(4)
    alone, corrected = 0, 0
    for _ in range(20):
        effects = rng.normal(size=(8, 20))[:, [int(clip) for clip in clips]]
        scores = {f"d{i}": labels + effect + rng.normal(size=len(labels)) for i, effect in enumerate(effects)}
        table = compare_all(labels, scores, clusters=clips, n_resamples=1999)
        alone += (table["p_value"] <= 0.05).any()
        corrected += (table["better"] != "").any()
    assert alone >= 5
    assert corrected <= 3


def test_seeds_beside_clips(make_clips):
    labels, base, clips = make_clips(2, ties=False)
    rng = np.random.default_rng(0)
    by_seed = {seed: base + 0.1 * rng.normal(size=len(base)) for seed in range(5)}
    found = auroc_over_seeds(labels, by_seed, clusters=clips, n_resamples=200)
    values = [auroc(labels, scores) for scores in by_seed.values()]
    assert found.estimates == pytest.approx(values)
    assert (found.mean, found.clips.estimate) == pytest.approx((np.mean(values),) * 2)
    assert found.standard_deviation == pytest.approx(np.std(values, ddof=1))
    assert (found.low, found.high, found.n_seeds) == (min(found.estimates), max(found.estimates), 5)
    alone = bootstrap_auroc(labels, by_seed[0], clusters=clips, n_resamples=200)
    assert found.clips.high - found.clips.low == pytest.approx(alone.high - alone.low, rel=0.1)
    assert found.share_of_clips < 0.1
    assert str(found).startswith(f"{found.mean:.3f} ± {found.standard_deviation:.3f} over 5 seeds, {found.clips}")


def test_one_seed_has_no_spread(make_clips):
    labels, scores, clips = make_clips(3)
    found = auroc_over_seeds(labels, {0: scores}, clusters=clips, n_resamples=50)
    assert found.standard_deviation is None
    assert found.clips == bootstrap_auroc(labels, scores, clusters=clips, n_resamples=50)
    assert "over one seed" in str(found)
    assert spread_over_seeds([0.5, 0.5], Interval(0.5, 0.5, 0.5)).share_of_clips is None


def test_bad_comparisons(detectors):
    labels, scores, clips = detectors
    with pytest.raises(ParameterError, match=r"at least two detectors; got \['good'\]"):
        compare_all(labels, {"good": scores["good"]}, clusters=clips)
    with pytest.raises(ParameterError, match="3 pairs at level 0.95 need at least 59.*got 58"):
        compare_all(labels, scores, clusters=clips, n_resamples=58)
    assert compare_all(labels, scores, clusters=clips, n_resamples=59)["better"].iloc[0] == "good"
    with pytest.raises(ParameterError, match="scores_by_seed is empty"):
        auroc_over_seeds(labels, {}, clusters=clips)
    with pytest.raises(ParameterError, match="estimates must be finite"):
        spread_over_seeds([0.5, np.nan], Interval(0.5, 0.4, 0.6))
