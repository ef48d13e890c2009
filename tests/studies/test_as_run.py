"""The way from the paper's text to its author's code, on a small world."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from vadlib.data import draw, open_dataset
from vadlib.detectors import ClipPrototypes, Padim, SpadeAsRun
from vadlib.evaluation import bootstrap_auroc, bootstrap_difference
from vadlib.report.words import as_run as words
from vadlib.studies import as_run
from vadlib.studies.as_run import CHOSEN, CONTROL, EQUAL, GRADCAM, PADIM, PROTOTYPES
from vadlib.studies.cross_fit import cross_fit
from vadlib.studies.ensemble_weights import best_weights, weights_from_other_clips
from vadlib.studies.runner import DetectorRunner

SIZE, NETWORK = 64, "resnet18:random"


@pytest.fixture(scope="module")
def splits(tiny_world):
    table = open_dataset("synthcampus", tiny_world).frame_table()
    drawn = {
        as_run.NORMAL: draw(table, "official-split", 12, 0, 12, 12, n_folds=2),
        as_run.OTHER_CLIPS: draw(table, "disjoint-clips", 8, 8, 12, 12, n_folds=2),
        as_run.SAME_CLIPS: draw(table, "same-clips", 8, 8, 12, 12),
    }
    return drawn | {as_run.TESTED: as_run.tested_reference(drawn[as_run.NORMAL], 5)}


@pytest.fixture(scope="module")
def runner(tiny_world, splits):
    normal, other_clips, *others = splits.values()
    videos = open_dataset("synthcampus", tiny_world)
    return DetectorRunner(videos, normal, other_clips, others=others, batch_size=8, device="cpu")


@pytest.fixture(scope="module")
def steps():
    return [
        *as_run.padim_steps(NETWORK, SIZE, 20),
        *as_run.gradcam_steps(NETWORK, SIZE),
        *as_run.prototype_steps(NETWORK, SIZE, 4, 6),
    ]


@pytest.fixture(scope="module")
def columns(runner, steps, splits):
    return as_run.run_steps(runner, steps, splits, n_folds=2)


@pytest.fixture(scope="module")
def compared(runner, columns, steps):
    return as_run.compare_steps(runner.tested.assign(**columns), steps, n_resamples=50)


def test_each_step_changes_one_thing_and_the_last_is_as_run(steps):
    by_method = {method: [s for s in steps if s.method == method] for method in (PADIM, GRADCAM, PROTOTYPES)}
    for of_method in by_method.values():
        for before, after in pairwise(of_method):
            changed = [name for name in ("view", "detector") if getattr(before.spec, name) != getattr(after.spec, name)]
            if before.spec.detector == after.spec.detector:
                options = before.spec.options.items() ^ after.spec.options.items() if after.key != "layers" else set()
                changed += list({key for key, _ in options})
            changed += [name for name in ("fitted_on",) if getattr(before, name) != getattr(after, name)]
            changed += ["weights"] if after.weights == CHOSEN else []
            assert len(changed) == 1, after.name
    defaults = ({"layers", "grid", "n_components"}, {"scaling"}, {"k", "n_frames"})
    for (method, of_method), given in zip(by_method.items(), defaults, strict=True):
        spec = of_method[-1].spec
        found, usual = (
            _detector(replace(spec, options=options)).parameters()
            for options in (spec.options, {k: v for k, v in spec.options.items() if k in given})
        )
        assert found == usual, method


def _detector(spec):
    from vadlib import networks
    from vadlib.detectors import catalogue

    entry = catalogue.entry(spec.detector)
    return catalogue.make(entry, {entry.cls.network: networks.open_network(spec.network)}, device="cpu", **spec.options)


def test_every_step_scores_every_test_frame(columns, steps, runner):
    assert columns.keys() == {step.name for step in steps} | {CONTROL}
    for values in columns.values():
        assert values.shape == (len(runner.tested),)
        assert np.isfinite(values).all()


def test_steps_are_what_the_detectors_give_by_themselves(runner, columns, splits):
    network, tested = runner.network(NETWORK), runner.tested
    whole, inner = (runner._held(SIZE, view).select for view in ("whole", "inner"))
    padim = Padim(network, 20, device="cpu").fit(whole(splits[as_run.NORMAL].fit)).score(whole(tested))
    np.testing.assert_allclose(columns["PaDiM: as written"], padim, rtol=1e-5)
    written, _ = cross_fit(splits[as_run.OTHER_CLIPS], lambda: ClipPrototypes(network, 4, device="cpu", top_k=4), whole)
    np.testing.assert_allclose(
        columns["Prototypes: as written, from other clips"], written["ensemble"].loc[tested.index], atol=1e-4
    )
    inner = runner._held(SIZE, "inner").select
    spade = SpadeAsRun(network, device="cpu").fit(inner(splits[as_run.TESTED].fit)).score(inner(tested))
    np.testing.assert_allclose(columns["Grad-CAM + SSIM: reference from the test frames"], spade, atol=1e-5)


def test_the_reference_is_of_the_first_normal_frames_that_are_tested(splits):
    reference, tested = splits[as_run.TESTED].fit, splits[as_run.NORMAL].test
    assert reference.index.isin(tested.index).all()
    normal = tested[tested["label"] == 0].sort_values(["clip", "frame"])
    assert reference.index.tolist() == normal.index[:5].tolist()


def test_squaring_moves_nothing_and_totals_add_up(compared, columns, runner, steps):
    table, totals = compared
    squared = table.loc["PaDiM: distance squared", "gain"]
    assert (squared.estimate, squared.low, squared.high) == (0, 0, 0)
    assert table.index.tolist() == [step.name for step in steps]
    for method, rows in table.groupby("method"):
        assert rows["gain"].iloc[0] is None
        gains = sum(gain.estimate for gain in rows["gain"].iloc[1:])
        assert totals[method].estimate == pytest.approx(gains)
        assert totals[method].estimate == pytest.approx(
            rows["auroc"].iloc[-1].estimate - rows["auroc"].iloc[0].estimate
        )
    labels, drawn = runner.tested["label"], {"clusters": runner.tested["clip"], "n_resamples": 50, "seed": 0}
    name = "Grad-CAM + SSIM: map blurred"
    assert table.loc[name, "auroc"] == bootstrap_auroc(labels, columns[name], **drawn)
    before = columns["Grad-CAM + SSIM: the mean of three maps is one map"]
    assert table.loc[name, "gain"] == bootstrap_difference(labels, columns[name], before, **drawn)


def test_weights_are_chosen_with_the_test_labels_in_the_study_alone(runner, steps, splits):
    spec = steps[-1].spec
    found = runner.run_under(spec, splits[as_run.SAME_CLIPS]).loc[runner.tested.index]
    weighted = as_run.weigh(found, runner.tested, n_folds=2)
    values = found[list(as_run.SCORES)].to_numpy(np.float64)
    labels, clips = runner.tested["label"].to_numpy(), runner.tested["clip"].to_numpy()
    np.testing.assert_allclose(weighted[EQUAL], found["ensemble"], atol=1e-6)
    np.testing.assert_allclose(weighted[CHOSEN], values @ best_weights(labels, values), atol=1e-6)
    weights = weights_from_other_clips(labels, values, clips, n_folds=2)
    for chosen in weights:
        own, ensemble = (weights == chosen).all(axis=1), values @ chosen
        others = ensemble if own.all() else ensemble[~own]
        expected = (ensemble[own] - others.mean()) / others.std()
        np.testing.assert_allclose(weighted[CONTROL][own], expected, rtol=1e-5, atol=1e-5)


def test_the_control_does_not_know_the_labels_of_a_fold_that_it_weighs(runner, steps, splits):
    found = runner.run_under(steps[-1].spec, splits[as_run.SAME_CLIPS]).loc[runner.tested.index]
    clips = runner.tested["clip"]
    turned = runner.tested.assign(
        label=runner.tested["label"].where(clips != clips.iloc[0], 1 - runner.tested["label"])
    )
    n = clips.nunique()
    before, after = (as_run.weigh(found, table, n_folds=n)[CONTROL] for table in (runner.tested, turned))
    own = (clips == clips.iloc[0]).to_numpy()
    np.testing.assert_allclose(np.argsort(before[own]), np.argsort(after[own]))


def test_a_frame_that_could_not_be_read_stays_nan(runner, steps, splits):
    found = runner.run_under(steps[-1].spec, splits[as_run.SAME_CLIPS]).loc[runner.tested.index].copy()
    found.iloc[3] = np.nan
    for values in as_run.weigh(found, runner.tested, n_folds=2).values():
        assert np.flatnonzero(np.isnan(values)).tolist() == [3]


def test_words_follow_from_the_intervals(compared):
    table, totals = compared
    said = words.as_run_words(table, totals)
    assert said["padim_written"] == table["auroc"].iloc[0]
    assert said["padim_squared_step"] == "+0.000 [+0.000, +0.000]"
    assert {f"{name}_step" for name in ("padim_gaussians", "gradcam_reference", "clip_clips", "clip_chosen")} <= set(
        said
    )
    assert said["largest_steps"].count("moves the AUROC furthest") == 3
    above = {CONTROL: replace(totals[CONTROL], estimate=0.05, low=0.01, high=0.09)}
    assert words.weights_sentence(above).endswith(
        "+0.050 [+0.010, +0.090] over weights chosen on other clips, which is above zero."
    )
    level = {CONTROL: replace(totals[CONTROL], estimate=0.0, low=-0.01, high=0.01)}
    assert words.weights_sentence(level).endswith("not distinguishable from zero.")
    rows = words.step_rows(table)
    assert len(rows) == len(table) - 3
    assert words.totals_table(table, totals).index.tolist() == [PADIM, GRADCAM, PROTOTYPES]
