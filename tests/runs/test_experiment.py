import json
import os
import signal
import time

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest

from vadlib.errors import BusyError, ParameterError, ResultsError
from vadlib.evaluation import Interval
from vadlib.report import Experiment, load_results
from vadlib.runs.code_state import changed_parts, dependencies

WRITE = """
    import time
    import numpy as np, pandas as pd
    from vadlib.report import Experiment
    run = Experiment("02_padim", "results", parameters={"seed": 1})
    run.metrics({"auroc": 0.9})
    %s
    print("ready", flush=True)
    %s
"""


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "clip": ["a", "a", "b", "b"],
            "split": "test",
            "scene": ["01", "01", "02", "02"],
            "frame": [3, 7, 0, 1],
            "label": np.array([0, 1, 0, 1], dtype=np.int8),
            "weather": "fine",
        }
    )


@pytest.fixture
def experiment(project):
    run = Experiment("02_padim", "results", parameters={"seed": 3, "size": (224, 224)})
    yield run
    run._lock.release()


def draw_figure():
    figure = matplotlib.figure.Figure()
    figure.subplots().plot([0, 1], [0, 1])
    return figure


def test_everything_that_was_collected_comes_back(project, experiment, table):
    with experiment.stage("fit"):
        time.sleep(0.02)
    with experiment.stage("fit"):
        time.sleep(0.02)
    given = experiment.scores(table, {"max": np.arange(4.0), "mean": np.arange(4)[::-1]})
    experiment.metrics({"auroc": Interval(0.5, np.float32(0.25), 0.75), "n": np.int64(4), "none": None})
    experiment.metrics({"list": (1, np.array([0.5]))})
    experiment.record(weights={"name": "random", "sha256": None})
    experiment.figure("roc", draw_figure(), caption="A curve.")
    experiment.attach("detector", lambda folder: (folder.mkdir(), (folder / "field").write_text("x")))
    assert experiment.save() == project / "results"

    results = load_results("results")
    pd.testing.assert_frame_equal(results.scores, given)
    assert list(results.scores) == ["clip", "frame", "label", "scene", "split", "max", "mean"]
    assert (results.scores[["max", "mean"]].dtypes == np.float32).all()
    assert results.scores["label"].dtype == np.int8
    assert results.metrics == {
        "auroc": {"estimate": 0.5, "low": 0.25, "high": 0.75, "level": 0.95},
        "n": 4,
        "none": None,
        "list": [1, [0.5]],
    }
    run = results.run
    assert run["experiment"] == "02_padim"
    assert run["parameters"] == {"seed": 3, "size": [224, 224]}
    assert run["weights"] == {"name": "random", "sha256": None}
    assert 0.04 <= run["stages"]["fit"]["seconds"] < 5
    assert run["stages"]["fit"]["peak_host_bytes_so_far"] <= run["peak_host_bytes"]
    assert run["depends_on"] == dependencies("02_padim")
    assert changed_parts(run["depends_on"]) == []
    (project / "notebooks" / "02_padim.py").write_text("")
    assert changed_parts(run["depends_on"]) == ["notebooks/02_padim.py"]
    assert run["versions"]["numpy"] == np.__version__
    assert run["started"].endswith("+00:00")
    assert run["figures"] == {"roc": "A curve."}
    assert run["files"] == sorted(
        ["detector/field", "figures/roc.png", "figures/roc.svg", "metrics.json", "scores.parquet"]
    )
    assert results.figure("roc").read_bytes().startswith(b"<?xml")
    assert not [path.name for path in project.iterdir() if path.name.startswith(".")]


def test_a_figure_has_the_same_bytes_every_time_and_stays_as_it_was_taken(project, experiment):
    figure = draw_figure()
    experiment.metrics({"n": 1})
    experiment.figure("a", figure)
    figure.axes[0].clear()
    experiment.save()
    first = {ending: load_results("results").figure("a", ending).read_bytes() for ending in ("svg", "png")}
    experiment.figure("a", draw_figure())
    experiment.save()
    assert first == {ending: load_results("results").figure("a", ending).read_bytes() for ending in ("svg", "png")}


def test_skipped_frames_are_left_out_and_counted(experiment, table):
    kept = experiment.scores(table, {"max": [0.0, np.nan, 2.0, 3.0]}, skipped=[1])
    experiment.metrics({"n": 3})
    experiment.save()
    assert kept["frame"].tolist() == [3, 0, 1]
    assert load_results("results").run["skipped"] == {"count": 1, "frames": [["a", 7]]}


def test_scores_that_cannot_be_right_are_refused(experiment, table):
    for value in (np.nan, np.inf, 1e39):  # the last is too large for float32
        with pytest.raises(ParameterError, match=r"max is not finite for 1 frames, first clip b frame 0 .*skipped="):
            experiment.scores(table, {"max": [0.0, 1.0, value, 3.0]})
    with pytest.raises(ParameterError, match=r"\(4,\); got \(3,\)"):
        experiment.scores(table, {"max": [0, 1, 2]})
    with pytest.raises(ParameterError, match="'label' cannot name a score"):
        experiment.scores(table, {"label": [0, 1, 2, 3]})
    with pytest.raises(ParameterError, match=r"no column \['frame'\]"):
        experiment.scores(table.drop(columns="frame"), {"max": [0, 1, 2, 3]})
    with pytest.raises(ParameterError, match="no score column"):
        experiment.scores(table, {})
    with pytest.raises(ParameterError, match="positions in the table of 4 rows"):
        experiment.scores(table, {"max": [0, 1, 2, 3]}, skipped=[4])


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"a": {"b": [1, float("nan")]}}, r"metrics\.a\.b\[1\] is nan"),
        ({"a": np.float32("inf")}, r"metrics\.a is inf"),
        ({"a": Interval(0.5, float("nan"), 1)}, r"metrics\.a\.low is nan"),
        ({"a": {1: 2}}, r"metrics\.a: keys must be text; got 1"),
        ({"a": object()}, r"metrics\.a is a object"),
    ],
)
def test_metrics_that_json_cannot_hold_are_refused_by_key(experiment, metrics, message):
    with pytest.raises(ParameterError, match=message):
        experiment.metrics(metrics)


def test_bad_names(experiment):
    with pytest.raises(ParameterError, match="plain file name"):
        experiment.figure("../roc", draw_figure())
    with pytest.raises(ParameterError, match="other than"):
        experiment.attach("run.json", print)
    with pytest.raises(ParameterError, match="stages is written by the run itself"):
        experiment.record(stages=1)
    with pytest.raises(ParameterError, match="no metrics yet"):
        experiment.save()


def test_what_a_run_killed_while_saving_leaves_is_the_former_result(project, background):
    background(WRITE % ("run.save()", "")).wait()
    endless = 'run.attach("x", lambda p: (p.write_text("half"), print("ready", flush=True), time.sleep(60)))'
    victim = background(WRITE % (f'run.metrics({{"auroc": 0.1}}); {endless}; run.save()', ""))
    assert (project / ".results.partial" / "x").exists()
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert load_results("results").metrics == {"auroc": 0.9}
    run = Experiment("02_padim", "results")
    assert not (project / ".results.partial").exists()
    run.metrics({"auroc": 0.2})
    run.save()
    assert load_results("results").metrics == {"auroc": 0.2}


def test_a_second_run_at_the_same_time_is_refused_at_its_start(project, background):
    background(WRITE % ("", "time.sleep(60)"))
    with pytest.raises(BusyError, match="another results_dir"):
        Experiment("02_padim", "results")
    other = Experiment("02_padim", "elsewhere")
    other.metrics({"n": 1})
    other.save()


def test_making_it_again_in_a_live_kernel_takes_over(experiment):
    later = Experiment("02_padim", "results")
    experiment.metrics({"n": 1})
    with pytest.raises(ResultsError, match="later Experiment"):
        experiment.save()
    later.metrics({"n": 2})
    later.save()
    later.save()  # the last cell, run twice
    assert load_results("results").metrics == {"n": 2}


def test_a_folder_of_something_else_is_refused_at_the_start(project):
    (project / "results").mkdir()
    (project / "results" / "thesis.txt").write_text("years")
    with pytest.raises(ResultsError, match=r"has no run\.json"):
        Experiment("02_padim", "results")
    assert (project / "results" / "thesis.txt").read_text() == "years"
    assert not (project / ".results.lock").exists()


def test_a_save_that_fails_leaves_the_former_results(experiment):
    experiment.metrics({"n": 1})
    experiment.save()

    def no_room(path):
        raise OSError(28, "No space left on device")

    experiment.attach("detector", no_room)
    experiment.metrics({"n": 2})
    with pytest.raises(ResultsError, match="could not be written .*No space left"):
        experiment.save()
    assert load_results("results").metrics == {"n": 1}


def test_loading_what_is_not_whole(project, experiment):
    with pytest.raises(ResultsError, match="No results at .*nowhere"):
        load_results("nowhere")
    experiment.metrics({"n": 1})
    experiment.figure("roc", draw_figure())
    folder = experiment.save()
    with pytest.raises(ResultsError, match=r"no figure x.svg; there are \['roc'\]"):
        load_results("results").figure("x")
    with pytest.raises(ResultsError, match=r"no scores\.parquet"):
        _ = load_results("results").scores
    (folder / "figures" / "roc.svg").unlink()
    with pytest.raises(ResultsError, match=r"incomplete: figures/roc\.svg missing"):
        load_results("results")
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {"format": 99}))
    with pytest.raises(ResultsError, match="format 99"):
        load_results("results")
    (folder / "run.json").write_text("{")
    with pytest.raises(ResultsError, match=r"run\.json cannot be read"):
        load_results("results")
    (folder / "run.json").unlink()
    with pytest.raises(ResultsError, match=r"incomplete: run\.json is missing"):
        load_results("results")


def test_a_data_set_is_recorded_by_what_identifies_it(experiment):
    class Stub:
        name, fingerprint, clips = "folder", "abc", (1, 2)

    class Labelled(Stub):
        facts = {"labels": "avenue.mat"}  # noqa: RUF012

    experiment.record(dataset=Stub(), other=Labelled())
    experiment.metrics({"n": 1})
    experiment.save()
    run = load_results("results").run
    assert run["dataset"] == {"name": "folder", "fingerprint": "abc", "n_clips": 2}
    assert run["other"] == run["dataset"] | {"facts": {"labels": "avenue.mat"}}
