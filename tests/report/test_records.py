import ast
import json
import shutil
import subprocess
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
import yaml

from vadlib.errors import ParameterError, ResultsError
from vadlib.evaluation import auroc, bootstrap_auroc, summarize
from vadlib.report import Chapter, Experiment, load_results
from vadlib.report.records import recording as recording_module
from vadlib.report.records.pages import main_figure, main_numbers, recorded_section, recorded_table, stale_sentence
from vadlib.report.records.recorded import check_metrics, check_recorded, list_recorded, load_recorded
from vadlib.report.records.recording import machine_paths, record, record_command, without_machine_paths, write_recorded
from vadlib.runs import provenance
from vadlib.runs.code_state import changed_parts, code_digest, dependencies, part_digests

matplotlib.use("Agg")

NOTEBOOK = """\
# %% [markdown]
# # PaDiM: a toy

# %% tags=["parameters"]
profile = "demo"  # the profile
dataset = "ucsd-ped2"  # name of the data set
dataset_root = "data"  # its folder
weights = "imagenet"  # or a file
seed = 0  # of the scores and the bootstrap
n_resamples = 50  # of the bootstrap
results_dir = "_build/manual/02_padim"  # results go here

# %%
import numpy as np
import pandas as pd

from vadlib.evaluation import bootstrap_auroc, summarize
from vadlib.report import Experiment

run = Experiment.from_notebook("02_padim", globals())
labels = np.tile([0, 0, 1, 1, 0, 1], 8)
table = pd.DataFrame({"clip": np.repeat([f"Test{i}" for i in range(4)], 12), "frame": range(48), "label": labels})
scores = run.scores(table, {"max": labels + np.random.default_rng(seed).normal(size=48)})
main = bootstrap_auroc(
    scores["label"], scores["max"], clusters=scores["clip"], n_resamples=n_resamples, seed=seed
)
run.metrics({**summarize(scores, "max"), "micro_auroc_interval": main})
run.record(dataset={"name": dataset, "fingerprint": "f", "n_clips": 4}, weights={"source": weights, "name": "w"})
run.save()
"""


@pytest.fixture
def toy(tmp_path, monkeypatch, project_root):
    """A small project under git, with the real Snakefile, one notebook that computes, one that reads it, a profile."""
    root = tmp_path / "toy"
    for name in ("notebooks/profiles", "book", "vadlib/data", "vadlib/report", "vadlib/studies", "elsewhere/data set"):
        (root / name).mkdir(parents=True)
    for name in ("pyproject.toml", "book/paper_values.yml"):
        (root / name).touch()
    chapters = [{"file": f"notebooks/{name}"} for name in ("02_padim", "21_claims", "26_limits")]
    (root / "_toc.yml").write_text(yaml.safe_dump({"parts": [{"caption": "All", "chapters": chapters}]}))
    (root / ".gitignore").write_text("_build/\n.snakemake/\n")
    shutil.copy(project_root / "Snakefile", root)
    (root / "notebooks" / "02_padim.py").write_text(NOTEBOOK)
    reader = NOTEBOOK.replace("02_padim", "21_claims").replace("PaDiM: a toy", "A comparison")
    (root / "notebooks" / "21_claims.py").write_text(reader + '\nupstream = "02_padim"\n')
    (root / "notebooks" / "26_limits.py").write_text('# %% tags=["parameters"]\nother = 1  # another number\n')
    profile = {"profile": "toy", "dataset": "ucsd-ped2", "dataset_root": "data", "weights": "imagenet", "seed": 3}
    (root / "notebooks" / "profiles" / "toy.yml").write_text(yaml.safe_dump(profile | {"other": 1}))
    (root / "vadlib" / "data" / "frames.py").write_text("SIZE = 3\n")
    monkeypatch.chdir(root)
    git(root, "init")
    commit(root)
    return root


def git(root, *arguments):
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


def commit(root):
    git(root, "add", "-A")
    git(root, "commit", "--allow-empty", "-m", "x")


def make_results(notebook="02_padim", seed=3, *, change=None, figures=(), **parameters):
    """A results folder as a notebook writes it."""
    given = {"dataset": "ucsd-ped2", "dataset_root": str(Path("elsewhere/data set").absolute()), "seed": seed}
    run = Experiment(
        notebook, f"_build/toy/results/{notebook}", given | {"n_resamples": 50, "frame_score": "max"} | parameters
    )
    labels = np.tile([0, 0, 1, 1, 0, 1], 8)
    table = pd.DataFrame({"clip": np.repeat([f"Test{i}" for i in range(4)], 12), "frame": range(48), "label": labels})
    rng = np.random.default_rng(seed)
    scores = run.scores(table, {name: labels + rng.normal(size=48) for name in ("max", "mean")})
    resampling = {"clusters": scores["clip"], "n_resamples": 50, "seed": seed}
    intervals = {name: bootstrap_auroc(scores["label"], scores[name], **resampling) for name in ("max", "mean")}
    figures_of = {
        name: {"micro_auroc_interval": intervals[name], **summarize(scores, name)} for name in ("max", "mean")
    }
    metrics = {**figures_of["max"], "scores": figures_of, "mean_minus_max": {"estimate": 0.1, "low": -0.2, "high": 0.3}}
    run.metrics(metrics | {"trials": {name: {"detector": "x", **vars(intervals[name])} for name in intervals}})
    run.record(dataset={"name": "ucsd-ped2", "fingerprint": "f", "n_clips": 4})
    for name, figure in figures:
        run.figure(name, figure, caption=f"A figure: {name}.")
    run.save()
    return load_results(f"_build/toy/results/{notebook}")


def keep(results, notebook="02_padim", **changed):
    facts = {
        "command": ".venv/bin/vadlib record toy 02_padim --root path/to/data",
        "depends_on": dependencies(notebook, "toy"),
        "upstream": {},
    }
    return write_recorded(results, "toy", notebook, **facts | changed)


def line_figure(n=2, text="score"):
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots()
    axes.plot(np.random.default_rng(0).normal(size=n), marker="o")
    axes.set_title(text)
    return figure


# ---- what a notebook depends on


def test_comments_docstrings_and_layout_do_not_change_a_digest_and_code_does():
    code = 'def f(x):\n    """Say."""\n    return x + 1\n'
    same = "# a comment\ndef f(\n    x,\n):\n    return (x + 1)  # why\n"
    assert code_digest(code) == code_digest(same)
    for other in (code.replace("+ 1", "+ 2"), code.replace("f(x)", "f(x, y=None)"), code.replace("+ 1", "+ 1.0")):
        assert code_digest(other) != code_digest(code)
    assert code_digest("x = True") != code_digest("x = 1")
    assert code_digest("f(a)[b]") != code_digest("f(a, b)")


def test_literal_parts_that_python_312_leaves_empty_or_apart_change_nothing():
    source = 'f"a{x:{width}}b"'
    tree = ast.parse(source)
    text = tree.body[0].value
    text.values[1].format_spec.values.append(ast.Constant(""))
    text.values[2:] = [ast.Constant(""), ast.Constant("b"), ast.Constant("")]
    assert code_digest(tree) == code_digest(source) != code_digest('f"a{x:{width}}c"')


@pytest.mark.parametrize(
    ("path", "old", "new", "part"),
    [
        ("notebooks/02_padim.py", "size=48", "size=48.0", "notebooks/02_padim.py"),
        ("notebooks/02_padim.py", "# of the bootstrap", "# of it", None),
        ("notebooks/02_padim.py", "# # PaDiM: a toy", "# # PaDiM: other prose", None),
        ("notebooks/profiles/toy.yml", "seed: 3", "seed: 4", "notebooks/profiles/toy.yml"),
        ("notebooks/profiles/toy.yml", "weights: imagenet", "weights: bundled", "notebooks/profiles/toy.yml"),
        ("notebooks/profiles/toy.yml", "other: 1", "other: 2", None),
        ("notebooks/profiles/toy.yml", "dataset_root: data", "dataset_root: there", None),
        ("vadlib/data/frames.py", "3", "4", "vadlib/data"),
        ("vadlib/studies/runner.py", "2", "1", "vadlib/studies"),
        ("vadlib/report/pages.py", "2", "1", None),
    ],
)
def test_a_change_is_seen_where_it_can_change_a_number(toy, path, old, new, part):
    (toy / "vadlib" / "studies" / "runner.py").write_text("x = 2\n")
    (toy / "vadlib" / "report" / "pages.py").write_text("x = 2\n")
    before = dependencies("21_claims", "toy", upstream=["02_padim"])
    assert changed_parts(before) == []
    assert old in (toy / path).read_text()
    (toy / path).write_text((toy / path).read_text().replace(old, new))
    assert changed_parts(before) == ([part] if part else [])


def test_a_part_that_is_gone_or_new_in_a_folder_is_a_change(toy):
    before = dependencies("02_padim", "toy")
    (toy / "vadlib" / "data" / "more.py").write_text("")
    assert changed_parts(before) == ["vadlib/data"]
    (toy / "notebooks" / "02_padim.py").unlink()
    assert part_digests(["notebooks/02_padim.py"]) == {"notebooks/02_padim.py": None}
    assert "notebooks/02_padim.py" in changed_parts(before)


# ---- writing


def test_a_record_is_small_and_reads_like_any_result(toy):
    own = line_figure(text="weights /home/ann/r.pth")
    results = make_results(figures=[("roc", line_figure()), ("cloud", line_figure(20_000)), ("own", own)])
    folder = keep(results)
    assert list_recorded() == ["toy-02_padim"]
    found = load_recorded("toy-02_padim")
    assert found.path == folder == toy / "book" / "recorded" / "toy-02_padim"
    assert found.metrics == results.metrics
    pd.testing.assert_frame_equal(found.scores, results.scores, check_exact=True)
    assert (found.scores[["max", "mean"]].dtypes == np.float32).all()
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {"metrics.json", "run.json", "scores.parquet", "figures/roc.svg"}
    left_out = found.run["recorded"]["figures_left_out"]
    assert left_out.keys() == {"cloud", "own"}
    assert "above the 300 kB" in left_out["cloud"]
    assert left_out["own"] == "it shows a path of the machine"
    assert list(found.run["figures"]) == ["roc"]
    assert [path.name for path in folder.parent.iterdir()] == ["toy-02_padim"]  # no lock, nothing partial


def test_no_path_of_the_machine_is_kept(toy):
    weights = str(toy / "elsewhere" / "resnet18.pth")
    results = make_results(weights=weights, note=f"read {weights}, then ~/data/x.npy", ratio="3/4 of it, a/b")
    keep(results)
    run = load_recorded("toy-02_padim").run
    assert run["parameters"]["dataset_root"] == "path/to/data set"
    assert run["parameters"]["weights"] == "path/to/resnet18.pth"
    assert run["parameters"]["note"] == "read path/to/resnet18.pth, then path/to/x.npy"
    assert run["parameters"]["ratio"] == "3/4 of it, a/b"
    for path in (toy / "book" / "recorded").rglob("*.json"):
        assert machine_paths(path.read_text()) == []
        assert str(toy) not in path.read_text()


def test_keys_and_lists_lose_their_paths_and_what_is_no_path_stays():
    value = {"resnet18:/home/ann/r.pth": [1, None, "/tmp/x"], "url": "https://a.org/b/c", "rate": "5 s/frame"}
    assert without_machine_paths(value) == {
        "resnet18:path/to/r.pth": [1, None, "path/to/x"],
        "url": "https://a.org/b/c",
        "rate": "5 s/frame",
    }


def test_scores_that_take_too_much_are_refused_and_the_former_record_stays(toy, monkeypatch):
    keep(make_results(seed=3))
    before = load_recorded("toy-02_padim").metrics
    monkeypatch.setattr(recording_module, "MAX_SCORES_BYTES", 1000)
    with pytest.raises(ResultsError, match=r"the scores take .* bytes \(48 frames, 2 scores\).*may have 1,000"):
        keep(make_results(seed=4))
    assert load_recorded("toy-02_padim").metrics == before
    assert [path.name for path in (toy / "book" / "recorded").iterdir()] == ["toy-02_padim"]


def test_metrics_that_do_not_follow_from_the_scores_are_refused(toy):
    results = make_results()
    results.metrics["scores"]["mean"]["average_precision"] += 1e-4
    with pytest.raises(ResultsError, match=r"toy-02_padim do not follow .*scores\.mean\.average_precision"):
        keep(results)
    assert list_recorded() == []


def test_the_command_has_placeholders(toy):
    data = str(toy / "elsewhere")
    assert record_command("ped2", "02_padim", data, "/x/r.pth") == (
        ".venv/bin/vadlib record ped2 02_padim --root path/to/elsewhere --weights path/to/r.pth"
    )
    assert record_command("ped2", "02_padim", "elsewhere", "bundled").endswith(
        "--root path/to/elsewhere --weights bundled"
    )
    assert record_command("ped2", "02_padim") == ".venv/bin/vadlib record ped2 02_padim"


# ---- reading


def test_the_line_says_when_with_what_on_what_and_how(toy):
    keep(make_results())
    found = load_recorded("toy-02_padim")
    assert found.line == (
        f"recorded on {found.run['started'][:10]} with {found.run['git']['revision'][:10]}, {found.run['device']}; "
        "run it yourself: `.venv/bin/vadlib record toy 02_padim --root path/to/data`"
    )
    assert not found.is_stale
    (toy / "vadlib" / "data" / "frames.py").write_text("SIZE = 4\n")
    found = load_recorded("toy-02_padim")
    assert found.is_stale
    assert found.line.endswith("**Stale**: `vadlib/data` changed since, so a run today may give other numbers")
    assert stale_sentence([found]).endswith("have changed since: toy-02_padim")


def test_unknown_and_foreign_records_are_named(toy):
    with pytest.raises(ResultsError, match="no run 'x'.*there are none"):
        load_recorded("x")
    folder = keep(make_results())
    with pytest.raises(ResultsError, match="there are toy-02_padim"):
        load_recorded("toy-2_padim")
    shutil.copytree(folder, folder.with_name("ped2-02_padim"))
    with pytest.raises(ResultsError, match="it names another run"):
        load_recorded("ped2-02_padim")
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {"recorded": {"profile": "toy"}}))
    with pytest.raises(ResultsError, match="lacks command, depends_on, notebook, title"):
        load_recorded("toy-02_padim")


# ---- computing again


@pytest.mark.parametrize(
    "where",
    [
        "micro_auroc", "micro_auroc_interval.estimate", "eer", "n_anomalous", "scores.mean.micro_auroc",
        "scores.mean.macro_auroc", "scores.max.fpr_at_95_tpr", "scores.mean.micro_auroc_interval.estimate",
        "scores.mean.micro_auroc_interval.low", "trials.max.estimate", "trials.max.high",
    ],
)  # fmt: skip
def test_a_tampered_number_is_found(toy, where):
    folder = keep(make_results())
    metrics = json.loads((folder / "metrics.json").read_text())
    entry, *path = metrics, *where.split(".")
    for key in path[:-1]:
        entry = entry[key]
    entry[path[-1]] += 1e-6
    (folder / "metrics.json").write_text(json.dumps(metrics))
    wrong = [check for check in check_recorded(load_recorded("toy-02_padim")) if not check.agrees]
    assert len(wrong) == 1
    assert wrong[0].where in (where, where.removesuffix(".estimate"))


def test_columns_without_figures_are_an_error_and_a_table_of_figures_is_understood():
    table = pd.DataFrame({"clip": list("aabb"), "frame": range(4), "label": [0, 1, 0, 1], "A": [0.1, 0.3, 0.2, 0.25]})
    value = auroc(table["label"], table["A"])
    for metrics in ({"micro_auroc": {"A": value}}, {"micro_auroc": {"A": {"estimate": value, "low": 0, "high": 1}}}):
        (check,) = check_metrics(metrics, table)
        assert check.agrees
        assert not check_metrics({"micro_auroc": {"A": value / 2}}, table)[0].agrees
    assert check_metrics({"differences": {"A": {"estimate": 3, "low": 0, "high": 4}}, "text": "A"}, table) == []


def test_metrics_that_say_nothing_of_the_scores_are_an_error(toy):
    results = make_results()
    results.metrics.clear()
    results.metrics["n_frames"] = 48
    with pytest.raises(ResultsError, match=r"states no figure of a score \(max, mean\)"):
        keep(results)


# ---- the page


def test_the_table_has_a_row_a_run_and_says_which_is_stale(toy):
    assert recorded_table([]) == "No run is recorded in this copy of the project."
    assert stale_sentence([]).startswith("0 run(s) are recorded, of which 0 came")
    keep(make_results())
    found = load_recorded("toy-02_padim")
    row = recorded_table([found]).splitlines()[2]
    for text in (
        "[PaDiM: a toy](#recorded-toy-02_padim)",
        "UCSD Ped2",
        "48",
        found.date,
        found.revision,
        "up to date",
        found.command,
    ):
        assert text in row
    (toy / "vadlib" / "data" / "frames.py").write_text("SIZE = 4\n")
    assert "**stale**" in recorded_table([load_recorded("toy-02_padim")])


def test_a_section_has_numbers_with_intervals_the_main_figure_and_downloads(toy):
    keep(make_results(figures=[("densities", line_figure()), ("roc", line_figure())]))
    found = load_recorded("toy-02_padim")
    assert main_figure(found) == "roc"
    text = recorded_section(found)
    estimate = found.metrics["micro_auroc_interval"]["estimate"]
    assert f"| micro AUROC | {estimate:.3f} (no interval: too few clips) |" in text
    assert "| mean minus max | +0.100 [-0.200, +0.300] |" in text
    assert "{figure} ../book/recorded/toy-02_padim/figures/roc.svg" in text
    assert ":alt: Figure of the recorded run toy-02_padim: A figure: roc." in text
    assert "{download}`scores <../book/recorded/toy-02_padim/scores.parquet>`" in text
    assert main_numbers(found.metrics)[0][0] == "micro AUROC"


def test_a_section_does_without_figure_and_interval(toy):
    results = make_results()
    for key in ("micro_auroc_interval", "mean_minus_max", "trials"):
        del results.metrics[key]
    for entry in results.metrics["scores"].values():
        entry["micro_auroc_interval"] |= {"low": None, "high": None}  # of a single clip
        del entry["micro_auroc_interval"]
    keep(results)
    text = recorded_section(load_recorded("toy-02_padim"))
    assert "95 %" not in text
    assert "{figure}" not in text


# ---- the command


@pytest.fixture
def ran(toy, monkeypatch):
    """What Snakemake would have been asked for; the results are made at once."""
    asked = []

    def bring_up_to_date(profile, targets, *, again, **options):
        asked.append({"targets": targets, "again": again, **options})
        for name in sorted({"02_padim", *(Path(target).name for target in targets)}):  # which the other reads
            if name in again or not Path("_build/toy/results", name).exists():
                make_results(name)

    monkeypatch.setattr(recording_module, "bring_up_to_date", bring_up_to_date)
    return asked


def test_uncommitted_changes_are_refused_or_marked(toy, ran):
    (toy / "notebooks" / "new.py").write_text("")
    with pytest.raises(ParameterError, match="uncommitted changes.*--allow-dirty"):
        record("toy", ["02_padim"])
    assert ran == []
    record("toy", ["02_padim"], allow_dirty=True)
    found = load_recorded("toy-02_padim")
    assert found.run["git"]["dirty"] is True
    assert found.revision.endswith(" and uncommitted changes")


def test_a_result_of_uncommitted_code_is_made_again_and_one_of_this_code_is_not(toy, ran):
    (toy / "new.txt").write_text("")
    make_results()
    commit(toy)
    record("toy", ["02_padim"])
    assert ran[-1]["again"] == ["02_padim"]
    assert load_recorded("toy-02_padim").run["git"]["dirty"] is False
    record("toy", ["02_padim"])  # the record written before is no change of the code
    assert ran[-1]["again"] == []
    notebook = toy / "notebooks" / "02_padim.py"
    notebook.write_text(notebook.read_text().replace("size=48", "size=(48,)"))
    commit(toy)
    record("toy", ["02_padim"])
    assert ran[-1]["again"] == ["02_padim"]


def test_code_that_changes_meanwhile_is_not_recorded(toy, ran, monkeypatch):
    inner = recording_module.bring_up_to_date

    def and_edit(*arguments, **options):
        inner(*arguments, **options)
        (toy / "notebooks" / "02_padim.py").write_text(NOTEBOOK + "\nx = 1\n")

    monkeypatch.setattr(recording_module, "bring_up_to_date", and_edit)
    with pytest.raises(ResultsError, match="02_padim: the code.*changed while the notebooks ran"):
        record("toy", ["02_padim"])
    assert list_recorded() == []


def test_one_that_cannot_be_recorded_does_not_stop_the_others(toy, ran):
    (toy / "book" / "recorded" / "toy-02_padim").mkdir(parents=True)
    (toy / "book" / "recorded" / "toy-02_padim" / "mine.txt").write_text("mine")
    with pytest.raises(ResultsError, match="(?s)toy-02_padim has no run.json.*recorded: toy-21_claims$"):
        record("toy", ["02_padim", "21_claims"], allow_dirty=True)
    assert list_recorded() == ["toy-21_claims"]
    assert set(load_recorded("toy-21_claims").run["recorded"]["upstream"]) == {"02_padim"}


def test_bad_names_are_refused_before_anything_runs(toy, ran):
    with pytest.raises(ParameterError, match="give the names"):
        record("toy", [])
    with pytest.raises(ParameterError, match="no chapter '99_x' in this book; there are 02_padim, 21_claims"):
        record("toy", ["02_padim", "99_x"])
    assert ran == []


def test_the_command_runs_the_notebook_and_records_it(toy, project_root):
    """Through the real Snakefile and a kernel."""
    shutil.rmtree(toy / "vadlib")  # or it would stand before the real one on the path
    commit(toy)
    place = str(toy / "elsewhere" / "data set")
    (folder,) = record("toy", ["02_padim"], root=place, cores="1")
    found = load_recorded(folder.name)
    assert found.command == ".venv/bin/vadlib record toy 02_padim --root path/to/data set"
    assert found.run["parameters"]["seed"] == 3
    assert found.run["parameters"]["dataset_root"] == "path/to/data set"
    assert found.run["git"] == provenance.git_revision(toy)
    assert found.run["git"]["dirty"] is False
    assert all(check.agrees for check in check_recorded(found))
    assert not found.is_stale


def test_a_chapter_that_shows_a_record_speaks_of_the_record(toy, monkeypatch):
    """Line and note under its title are the record's, whatever data set this build is of."""
    keep(make_results())
    (toy / "notebooks" / "26_limits.py").write_text(
        '# %% tags=["parameters"]\nother = 1  # another number\ndataset = "synthcampus"  # this build\'s\n'
        'results_dir = "_build/manual/26_limits"  # folder\n'
    )
    given = {"other": 1, "dataset": "synthcampus", "results_dir": "_build/toy/results/26_limits"}
    chapter = Chapter("26_limits", given)
    record = chapter.show_record("toy-02_padim")
    assert record.metrics == load_recorded("toy-02_padim").metrics
    said = {}
    monkeypatch.setattr("vadlib.report.chapter_page.glue", lambda name, text, display: said.update({name: text}))
    chapter.close(micro_auroc=record.metrics["micro_auroc"])
    assert said["chapter_line"].startswith("profile toy · UCSD Ped2 · ")
    assert said["chapter_line"].endswith(" · recorded")
    assert "ecorded on" in said["data_note"]
    assert said["data_note"].endswith("The page of recorded runs has the command.")
    assert "ynthetic" not in said["data_note"]
