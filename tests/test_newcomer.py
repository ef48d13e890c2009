"""What CONTRIBUTING.md promises: a detector is one module, one notebook and a line in `_toc.yml`, and all else finds it.

In a copy of the project, a throw-away detector is added by just these, and every list that the chapters go by has it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = re.search(r"```python\n(class Brightness.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
DETECTOR = f'''\
"""A throw-away detector: how bright a frame is, beside how bright frames usually are."""

import torch

from vadlib.data.reading.inputs import Frames
from vadlib.detectors.detector import Detector, LearnsFrom


{EXAMPLE}
    def parameters(self):
        return {{"power": self.power}}

    def state(self):
        return {{"usual": self.usual}}

    def set_state(self, state):
        self.usual = state["usual"]
'''

NOTEBOOK = """\
# %% [markdown]
# # Brightness
#
# **Is a frame strange when it is brighter or darker than usual?** AUROC {glue:text}`micro_auroc`:
# {glue:text}`verdict` ({numref}`fig-brightness-roc`).

# %% tags=["parameters"]
profile = "demo"  # the row of notebooks/profiles that this run belongs to
dataset = "synthcampus"  # name of the data set
dataset_root = "_build/demo/data"  # its folder
seed = 0  # of the draw and the bootstrap
image_size = 224  # pixels, height and width of the frames as read
batch_size = 32  # frames
n_fit_frames = 600  # normal training frames
n_test_normal: int | None = 600  # normal test frames; None for all
n_test_abnormal: int | None = 600  # anomalous test frames; None for all
n_resamples = 1000  # of the bootstrap over clips
brightness_power = 1.0  # of the distance
allow_missing = False  # use an incomplete copy of the data set as far as it goes, instead of stopping
skip_unreadable = False  # leave out clips and frames that cannot be read, instead of stopping
device = "auto"  # cpu, cuda, or auto
save_detector = True  # keep the fitted detector beside the results
results_dir = "_build/manual/10_brightness"  # folder to write the results to

# %% tags=["remove-output"]
from vadlib.detectors.brightness import Brightness
from vadlib.report import Chapter

chapter = Chapter("10_brightness", globals())
chapter.open_dataset()
split = chapter.draw("official-split", fit_normal=n_fit_frames)
scored = chapter.fit_and_score(Brightness(seed, device, power=brightness_power), split)

# %%
chapter.figure("roc", scored.draw_roc(), "ROC curve of the brightness.", alt="A ROC curve and its band")

# %%
scored.show_kinds()

# %% tags=["remove-cell"]
chapter.close(scored)
"""

# What the chapters call, in their order: 21, 25, 23, 30, 31, 26, 91.
QUESTIONS = """\
import dataclasses
import json
import sys
import vadlib
from vadlib.data import draw, open_dataset
from vadlib.detectors import catalogue, load_detector
from vadlib.evaluation import bootstrap_auroc
from vadlib.networks import open_network
from vadlib.report import compare_with_paper, load_paper_values
from vadlib.report.authoring import check_sources
from vadlib.report.contents import read_contents
from vadlib.report.study_tables import effect_table, merit_rows, operation_table, runs_table, span_table
from vadlib.report.study_tables import stages_table, table_of_choices, weights_table
from vadlib.report.tables import cost_table, forest_rows, frames_used, whole_workload
from vadlib.runs.results import join_scores, load_results
from vadlib.studies.ablation import ablation_settings, rank_choices, variations
from vadlib.studies.draws import plan_draws
from vadlib.studies.footage import fit_without_labels, score_together
from vadlib.studies.limits import influences
from vadlib.studies.operation import operating_costs
from vadlib.studies.protocol_audit import score_columns, scores_by_protocol
from vadlib.studies.runner import DetectorRunner, compare_trials, default_specs, main_scores
from vadlib.studies.supervision import NOBODY, specs_by_supervision

world, name = sys.argv[1], "Brightness"
contents, networks = read_contents(), dict.fromkeys(("backbone", "classifier", "embedder"), "resnet18:random")
upstream = {chapter: contents.upstream(chapter) for chapter in contents.names}
found = {
    "vadlib": vadlib.__file__,
    "problems": list(map(str, check_sources())),
    "titles": [entry.title for entry in catalogue.entries()],
    "detector chapters": contents.detector_chapters(),
    "read by": [chapter for chapter in contents.names if "10_brightness" in upstream[chapter]],
}

new, paper = load_results("_build/results/10_brightness"), load_paper_values()
other = dataclasses.replace(new, metrics=new.metrics | {"detector": "PaDiM", "detectors": {"PaDiM": "brightness"}})
detectors = {name: new, "PaDiM": other}
scores, titles = join_scores(detectors.values())
drawn = {"clusters": scores["clip"], "n_resamples": 50}
intervals = {title: bootstrap_auroc(scores["label"], scores[title], **drawn) for title in titles}
compare_with_paper(paper, {"10_brightness": new})
found["claims"] = [
    name in titles,
    name in forest_rows(intervals, detectors, paper, {}).index,
    name in cost_table(intervals, detectors, paper).columns,
    name not in frames_used(detectors, paper).index,  # which the paper knows nothing of
    name not in whole_workload(detectors, paper).index,
]

videos = open_dataset("synthcampus", world)
table, testing = videos.frame_table(), {"test_normal": 12, "test_abnormal": 12, "seed": 1, "n_folds": 2}
normal, labelled = draw(table, "official-split", 12, 0, **testing), draw(table, "disjoint-clips", 8, 8, **testing)
runner = DetectorRunner(videos, normal, labelled, batch_size=8, device="cpu")
specs = default_specs(networks, 32, {"brightness_power": 1.5}, learns_from=catalogue.FITTED)
mine = {name: specs[name]}
assert specs[name].options == {"power": 1.5}

defaults = default_specs(networks, 32, {}, learns_from=catalogue.FITTED, variants=False)
settings = ablation_settings(defaults, variations(defaults, {}, 0))
settings = {key: setting for key, setting in settings.items() if setting.detector == name}
trials = {key: setting.trial for key, setting in settings.items()}
varied, few = runner.tested.assign(**main_scores(trials, runner.run(trials))), {"n_resamples": 50, "seed": 0}
merit = compare_trials(varied, {key: setting.base for key, setting in settings.items()}, **few)
ranked = rank_choices(varied, settings, merit, **few)
effect_table(merit, settings)
merit_rows(merit, settings)
found["choices"] = [*settings, *table_of_choices(ranked.to_dict("records"), settings).index, *span_table(ranked, settings, merit).index]
found["without labels"] = name in specs_by_supervision(defaults, {})[NOBODY]

by_protocol = scores_by_protocol(runner, mine, {"official-split": normal, "disjoint-clips": labelled})
found["protocols"] = list(score_columns(by_protocol, normal.test)[0])

reader = catalogue.entry(name).cls.reads.open(videos, normal.fit, size=(32, 32), progress=False)
opened = {role: open_network(of) for role, of in networks.items()}
watchers = fit_without_labels(opened, reader, {"n_components": 10}, device="cpu")
found["watchers"] = [*watchers, *score_together(watchers, reader)]

fps = {clip.id: clip.fps for clip in videos.clips}
costs = operating_costs(scores, titles, table, fps, prevalence=0.01, recall=0.8, gap_s=2.0)
found["operation"] = [*costs, *operation_table(costs, 0.01).index]
found["limits"] = list(influences(scores[scores["label"] == 0].assign(brightness=1.0), titles).index)
runs = {"10_brightness": new.run}
found["provenance"] = [*runs_table(runs).index, *stages_table(runs).index.get_level_values(0).unique()]
weights_table(runs)
found["saved"] = load_detector(new.path / "detector").title

profile = {"dataset": "synthcampus", "n_fit_frames": 5, "n_test_normal": 4, "n_test_abnormal": 4, "seed": 0}
found["plan"] = int(plan_draws(profile, world)[1].loc[name, "fit normal"])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def copy(project_root, tmp_path_factory):
    """The project with the newcomer in it: two files more, and a line."""
    root = tmp_path_factory.mktemp("project")
    for name in ("book", "notebooks", "vadlib"):
        shutil.copytree(project_root / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml", "pyproject.toml"):
        shutil.copy(project_root / name, root)
    (root / "vadlib/detectors/brightness.py").write_text(DETECTOR)
    (root / "notebooks/10_brightness.py").write_text(NOTEBOOK)
    contents, before = (project_root / "_toc.yml").read_text(), "      - file: notebooks/02_padim\n"
    assert before in contents  # first of the detectors: one without a network, where others look for it
    (root / "_toc.yml").write_text(contents.replace(before, f"      - file: notebooks/10_brightness\n{before}"))
    return root


@pytest.fixture(scope="module")
def run(copy):
    """Runs a program in the copy, with the copy's library."""

    def run_there(*arguments):
        command, environment = [sys.executable, *map(str, arguments)], os.environ | {"PYTHONPATH": str(copy)}
        done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_there


@pytest.fixture(scope="module")
def found(copy, run, tiny_world):
    """What the chapters' functions say, once the newcomer's notebook has run."""
    small = {"image_size": 32, "n_fit_frames": 20, "n_test_normal": 20, "n_test_abnormal": 20, "n_resamples": 50}
    given = {"dataset_root": tiny_world, "results_dir": "_build/results/10_brightness"} | small
    page = "_build/notebooks/10_brightness.ipynb"
    named = [f"{name}={value}" for name, value in given.items()]
    run("-m", "vadlib.report.notebooks", "notebooks/10_brightness.py", page, *named)
    found = json.loads(run("-c", QUESTIONS, tiny_world).splitlines()[-1])
    assert found.pop("vadlib").startswith(str(copy))
    return found


def test_a_newcomer_is_found_by_the_catalogue_and_the_contents(found):
    assert found["problems"] == []
    assert "Brightness" in found["titles"]
    assert found["detector chapters"][0] == "10_brightness"
    readers = {"21_claims", "26_limits", "27_certainty", "31_operation", "91_provenance"}
    assert set(found["read by"]) >= readers


def test_the_newcomers_results_stand_beside_all_others(found):
    assert all(found["claims"])
    for chapter in ("operation", "limits"):
        assert "Brightness" in found[chapter], chapter
    assert found["provenance"] == ["10_brightness", "10_brightness"]
    assert found["saved"] == "Brightness"


def test_the_studies_run_the_newcomer_as_its_class_says(found):
    squared = [f"Brightness, power: {power}" for power in (2, 3)]
    assert found["choices"] == ["Brightness", *squared, "Brightness: power", "Brightness: power"]
    assert found["protocols"] == ["Brightness, official-split", "Brightness, disjoint-clips"]
    assert found["watchers"].count("Brightness") == 2
    assert found["without labels"]
    assert found["plan"] == 5


def test_a_notebook_saved_in_jupyter_becomes_the_same_script(project_root, tmp_path):
    for path in sorted((project_root / "notebooks").glob("*.py")):
        text = path.read_text()
        if "mystnb=" in text:  # jupytext sorts what a cell says of itself
            continue
        config = jupytext.config.load_jupytext_config(str(path))
        notebook = jupytext.reads(text, "py:percent", config=config)
        notebook.metadata |= {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python", "version": "3.12.1", "file_extension": ".py"},
        }
        for number, cell in enumerate(notebook.cells):
            cell.metadata |= {"execution": {"iopub.status.busy": "now"}, "editable": True, "collapsed": False}
            if cell.cell_type == "code":
                cell.execution_count = number
                cell.outputs = [nbformat.v4.new_output("stream", text="seen")]
        assert jupytext.writes(notebook, "py:percent", config=config) == text, path.name
