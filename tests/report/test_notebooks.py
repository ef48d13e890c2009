import sys

import nbformat
import papermill
import pytest

from vadlib.errors import BusyError, LayoutError, ResultsError
from vadlib.report import load_results, run_notebook
from vadlib.report.notebooks import NotebookError, NotebookParameterError, _parse, _writing
from vadlib.runs.parameters import notebook_parameters

# pytest sets aside the filter that the handler brings; the command-line test below sees that it works
pytestmark = pytest.mark.filterwarnings("ignore:The specified file:UserWarning")

SOURCE = "jupytext://notebooks/02_padim.py"
COMMAND = ("-m", "papermill", SOURCE, "out.ipynb", "-f", "notebooks/profiles/demo.yml")


@pytest.fixture
def run(project):
    """Papermill in this process, as a user of its Python interface calls it."""

    def execute(parameters=None, **options):
        return papermill.execute_notebook(SOURCE, "out.ipynb", parameters, progress_bar=False, **options)

    return execute


def printed(notebook) -> str:
    return "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", []))


def test_the_readmes_command_runs_with_the_profile_and_the_seed(project, python):
    done = python(*COMMAND, "-p", "seed", 3, stdin=-3)
    assert done.returncode == 0, done.stderr
    assert "unknown parameter" not in done.stderr
    assert "does not end in" not in done.stderr
    notebook = nbformat.read("out.ipynb", as_version=4)
    assert f"ran with 3 1.0 max None in {project.name}" in printed(notebook)
    assert notebook.metadata.papermill.parameters == {"epsilon": 1.0, "seed": 3}
    assert "vadlib_source" not in notebook.metadata
    injected = next(cell for cell in notebook.cells if "injected-parameters" in cell.metadata.tags)
    assert "n_prototypes" not in injected.source


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-p", "seeed", 3), "Error: 02_padim.py: unknown parameter 'seeed'. Did you mean 'seed'?"),
        (("-p", "seed", "three"), "Error: 02_padim.py: parameter 'seed' must be a whole number; got 'three' (str)."),
        ((), "Error: No notebook notebooks/02_padin.py. Did you mean notebooks/02_padim.py?"),
    ],
)
def test_the_command_line_refuses_in_one_message(project, python, arguments, message):
    command = COMMAND if arguments else ("-m", "papermill", "jupytext://notebooks/02_padin.py", "out.ipynb")
    refused = python(*command, *arguments, stdin=-3)
    assert refused.returncode == 2
    assert message in refused.stderr
    assert ("  epsilon = 0.01  # on the diagonal" in refused.stderr) is bool(arguments)
    assert "Traceback" not in refused.stderr
    assert not (project / "out.ipynb").exists()


@pytest.mark.parametrize(
    "options", [{}, {"prepare_only": True}, {"kernel_name": "python"}, {"engine_name": "nbclient"}]
)
def test_nothing_is_written_when_a_parameter_is_refused(project, run, options):
    (project / "out.ipynb").write_text("former")
    with pytest.raises(NotebookParameterError, match="unknown parameter 'seeed'"):
        run({"seeed": 3}, **options)
    assert (project / "out.ipynb").read_text() == "former"


def test_other_notebooks_go_through_papermill_unchanged(project, run, caplog):
    run({"n_prototypes": 1}, prepare_only=True)  # ours is registered from here on
    plain = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1", metadata={"tags": ["parameters"]})])
    plain.metadata["kernelspec"] = {"name": "python3", "language": "python"}
    nbformat.write(plain, "plain.ipynb")
    out = papermill.execute_notebook("plain.ipynb", "plain_out.ipynb", {"b": 2}, prepare_only=True)
    assert out.metadata.papermill.parameters == {"b": 2}
    assert "b = 2" in out.cells[1].source


def test_run_notebook_leaves_one_clean_page_the_same_every_time(project):
    arguments = ("notebooks/02_padim.py", "pages/02_padim.ipynb")
    options = {"profile": "notebooks/profiles/demo.yml", "parameters": {"seed": 2}}
    first = run_notebook(*arguments, **options).read_bytes()
    page = run_notebook(*arguments, **options)
    assert page.read_bytes() == first
    assert [path.name for path in page.parent.iterdir()] == ["02_padim.ipynb"]
    text = page.read_text()
    assert str(project) not in text
    assert sys.prefix not in text
    notebook = nbformat.read(page, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    by_tag = {cell.metadata.tags[0]: cell.metadata.tags for cell in notebook.cells if "tags" in cell.metadata}
    assert by_tag == {
        "parameters": ["parameters", "hide-input"],
        "injected-parameters": ["injected-parameters", "hide-input"],
    }
    assert f"ran with 2 1.0 max None in {project.name}" in printed(notebook)


def test_a_failing_notebook_keeps_its_output_and_the_former_page(project):
    page = project / "pages" / "02_padim.ipynb"
    page.parent.mkdir()
    page.write_text("former")
    with pytest.raises(NotebookError) as caught:
        run_notebook("notebooks/02_padim.py", page, parameters={"seed": 13})
    assert "02_padim.py: cell [4] raised ValueError: an unlucky seed" in str(caught.value)
    assert "    if seed == 13:" in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert page.read_text() == "former"
    failed = nbformat.read(page.with_name("02_padim.failed.ipynb"), as_version=4)
    assert "ran with 13" in printed(failed)
    assert any(output.get("ename") == "ValueError" for cell in failed.cells for output in cell.get("outputs", []))
    run_notebook("notebooks/02_padim.py", page)
    assert [path.name for path in page.parent.iterdir()] == ["02_padim.ipynb"]


RUN = """\
# %% tags=["parameters"]
seed = 0  # of the draw
results_dir = "_build/manual/03_run"  # results go here

# %%
from vadlib.runs.experiment import Experiment

run = Experiment.from_notebook("03_run", globals())
run.metrics({"n": seed})
if seed != 13:
    run.save()
"""


def test_runs_of_other_parameters_lie_side_by_side_and_one_that_saves_nothing_is_told_so(project):
    (project / "notebooks" / "03_run.py").write_text(RUN)
    page, manual = "pages/03_run.ipynb", project / "_build/manual"
    run_notebook("notebooks/03_run.py", page)
    run_notebook("notebooks/03_run.py", page, parameters={"seed": 3})
    assert load_results(manual / "03_run").metrics == {"n": 0}
    assert load_results(manual / "03_run-seed=3").metrics == {"n": 3}
    said = "03_run: results go to _build/manual/03_run-seed=3: other seed than the notebook's own\n"
    assert said in printed(nbformat.read(page, as_version=4))
    with pytest.raises(
        NotebookError, match=r"03_run\.py ran to its end but wrote no results to .*03_run-seed=13; does"
    ):
        run_notebook("notebooks/03_run.py", page, parameters={"seed": 13})


def test_a_kernel_that_dies_is_said_to_have_died(project):
    (project / "notebooks" / "03_dies.py").write_text(
        "# %%\nprint('so far', flush=True)\n# %%\nimport os\nos._exit(1)\n"
    )
    with pytest.raises(NotebookError, match=r"03_dies\.py: the kernel died .*03_dies\.failed\.ipynb"):
        run_notebook("notebooks/03_dies.py", "pages/03_dies.ipynb")
    assert "so far" in printed(nbformat.read("pages/03_dies.failed.ipynb", as_version=4))


def test_run_notebook_refuses_before_anything_runs(project, background):
    with pytest.raises(NotebookParameterError, match="'seeed'"):
        run_notebook("notebooks/02_padim.py", "pages/x.ipynb", parameters={"seeed": 1})
    with pytest.raises(LayoutError, match="No profile .*Profiles in notebooks/profiles: demo"):
        run_notebook("notebooks/02_padim.py", "pages/x.ipynb", profile="notebooks/profiles/dem.yml")
    assert not (project / "pages").exists() or list((project / "pages").iterdir()) == []
    background(
        """
        import time
        from vadlib.storage import RunLock
        lock = RunLock("pages/x.ipynb").acquire()
        print("held", flush=True)
        time.sleep(60)
        """
    )
    with pytest.raises(BusyError):
        run_notebook("notebooks/02_padim.py", "pages/x.ipynb")


def test_the_module_as_a_command(project, python):
    command = ("-m", "vadlib.report.notebooks", "notebooks/02_padim.py", "pages/02_padim.ipynb")
    profile = ("--profile", "notebooks/profiles/demo.yml", "--results-root", "_build/demo/results")
    done = python(*command, *profile, "label=7", "n_prototypes=3", "n_test=None")
    assert done.returncode == 0, done.stderr
    page = nbformat.read("pages/02_padim.ipynb", as_version=4)
    assert "ran with 0 1.0 7 None" in printed(page)
    assert any('upstream_dir = "_build/demo/results"' in cell.source for cell in page.cells)
    failed = python(*command, *profile, "seed=13")
    assert failed.returncode == 1
    assert "\n02_padim.py: cell [4] raised ValueError" in f"\n{failed.stderr}"
    assert "vadlib/report" not in failed.stderr  # no traceback of ours
    refused = python(*command, "seed")
    assert (refused.returncode, refused.stderr) == (1, "parameters are given as NAME=VALUE; got 'seed'.\n")


@pytest.mark.parametrize(
    ("pair", "value"),
    [("seed=3", 3), ("epsilon=1e-3", 0.001), ("label=2019", "2019"), ("label=None", "None"), ("n_test=None", None)],
)
def test_values_are_read_by_what_the_notebook_declares(project, pair, value):
    assert _parse(pair, notebook_parameters("notebooks/02_padim.py"))[1] == value


@pytest.mark.parametrize("named", [3, b"page.ipynb", None])
def test_an_error_that_names_no_path_is_one_of_the_page(tmp_path, named):
    with (
        pytest.raises(ResultsError, match=r"page\.ipynb could not be written: No space left"),
        _writing(tmp_path / "page.ipynb", tmp_path / ".page.running.ipynb"),
    ):
        raise OSError(28, "No space left on device", named)
