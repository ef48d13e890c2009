import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadlib.errors import LayoutError, ParameterError
from vadlib.runs.parameters import (
    NotebookParameterError,
    check_parameters,
    notebook_parameters,
    parse_parameters,
    results_place,
)

CELL = """
n = 2_000  # frames (paper: 2,000)
rate = -1e-3
name = "a # b"  # text with a hash
flag = False
sizes = [224,
         224]  # height, width
more: int | None = None  # all
either: "int"
"""


def test_the_cell_is_read_with_defaults_types_and_comments():
    found = parse_parameters(CELL.replace('either: "int"\n', ""), "x.py")
    assert [(p.name, p.default, p.comment) for p in found.values()] == [
        ("n", 2000, "frames (paper: 2,000)"),
        ("rate", -0.001, ""),
        ("name", "a # b", "text with a hash"),
        ("flag", False, ""),
        ("sizes", [224, 224], "height, width"),
        ("more", None, "all"),
    ]
    assert found["more"].types == (int, type(None))
    assert str(found["more"]) == "more: int | None = None  # all"
    assert str(found["name"]) == "name = 'a # b'  # text with a hash"


@pytest.mark.parametrize(
    ("source", "accepted", "refused"),
    [
        ("x = 1", [0, -5], [True, 1.0, "1", None, [1]]),
        ("x = 1.5", [0.1, 3, float("inf")], [True, "1", None, float("nan")]),
        ("x = 'a'", ["", "b"], [1, None, True]),
        ("x = True", [False], [0, "False", None]),
        ("x = [1]", [[], ["a"]], [1, (1,), {}]),
        ("x = {}", [{"a": 1}], [[], 1]),
        ("x = None", [None, 1, "a", [1]], [float("nan")]),
        ("x: int | None = None", [None, 3], [2.0, "3", True]),
        ("x: None | list[int] = None", [None, [1]], [1]),
        ("x: float | str = 'auto'", ["auto", 0.5, 2], [None, True]),
    ],
)
def test_what_each_declaration_takes(source, accepted, refused):
    parameter = parse_parameters(source, "x.py")["x"]
    assert [value for value in accepted if not parameter.accepts(value)] == []
    assert [value for value in refused if parameter.accepts(value)] == []


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(), st.booleans(), st.none()))
def test_every_default_is_a_value_that_its_own_parameter_takes(value):
    parameter = parse_parameters(f"x = {value!r}  # why", "x.py")["x"]
    assert parameter.accepts(value)
    assert parameter.default == value


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1 +", "not Python"),
        ("import os", "may hold only lines like .*'import os'"),
        ("x, y = 1, 2", "may hold only lines like"),
        ("x = 1 / 3", "default of parameter 'x' must be a literal; got 'x = 1 / 3'"),
        ("x: int", "may hold only lines like"),
        ("x: int = 'a'", "contradicts its annotation"),
        ("x: Path = None", "annotations of parameters are made of int, float"),
    ],
)
def test_a_cell_that_cannot_be_checked_is_refused(source, message):
    with pytest.raises(ParameterError, match=message):
        parse_parameters(source, "x.py")


PATH = "notebooks/02_padim.py"


def test_own_parameters_pass_and_those_of_other_notebooks_are_left_out(project):
    assert check_parameters(PATH, {"seed": 3, "n_prototypes": 5, "epsilon": 1}) == {"seed": 3, "epsilon": 1.0}
    assert type(check_parameters(PATH, {"epsilon": 1})["epsilon"]) is float
    assert check_parameters(PATH, {"PAPERMILL_INPUT_PATH": "x"}) == {"PAPERMILL_INPUT_PATH": "x"}


def test_all_complaints_come_at_once_with_the_list(project):
    with pytest.raises(NotebookParameterError) as caught:
        check_parameters(PATH, {"sed": 1, "n_test": 2.5, "label": 3, "n_prototype": 1, "zzz": 0})
    assert str(caught.value).splitlines() == [
        "02_padim.py: unknown parameter 'sed'. Did you mean 'seed'?",
        "02_padim.py: parameter 'n_test' must be a whole number or None; got 2.5 (float).",
        "02_padim.py: parameter 'label' must be text; got 3 (int). Pass it as text: -r label 3",
        "02_padim.py: unknown parameter 'n_prototype'. Did you mean 'n_prototypes'?",
        "02_padim.py: unknown parameter 'zzz'.",
        "Parameters of 02_padim.py:",
        "  seed = 0  # of the draw",
        "  epsilon = 0.01  # on the diagonal",
        "  label = 'max'  # score column",
        "  n_test: int | None = None  # frames; None: all",
        "  upstream_dir = '_build/manual'  # the others' results",
    ]


def test_another_notebook_half_edited_stops_no_one_but_is_named(project):
    (project / "notebooks" / "05_broken.py").write_text('# %% tags=["parameters"]\nk = \n')
    assert check_parameters(PATH, {"n_prototypes": 5}) == {}
    with pytest.raises(NotebookParameterError, match=r"Not searched.*05_broken\.py"):
        check_parameters(PATH, {"k": 5})


def test_a_missing_notebook_is_named_with_its_nearest_match(project):
    with pytest.raises(LayoutError, match=r"Did you mean notebooks/02_padim\.py"):
        notebook_parameters("notebooks/02_padin.py")


def test_a_notebook_without_the_cell_has_no_parameters(project):
    (project / "notebooks" / "00_plain.py").write_text("# %%\nx = 1\n")
    assert notebook_parameters("notebooks/00_plain.py") == {}


OWN = "_build/manual/02_padim"
DECLARED = f"seed = 0\nrate = 1.0\nroot = 'data'\nresults_dir = {OWN!r}"


@pytest.mark.parametrize(
    ("given", "place", "why"),
    [
        ({}, OWN, ""),
        ({"seed": 0, "rate": 1}, OWN, ""),
        ({"seed": 3, "results_dir": "elsewhere"}, "elsewhere", ""),
        ({"seed": 3}, f"{OWN}-seed=3", "other seed than the notebook's own"),
        ({"seed": 3, "rate": 2}, f"{OWN}-seed=3,rate=2", "other seed, rate than the notebook's own"),
        ({"seed": 3, "rate": 2.0}, f"{OWN}-seed=3,rate=2", "other seed, rate than the notebook's own"),
        ({"root": "/a/b"}, f"{OWN}-60a4081c", "other root than the notebook's own"),
    ],
)
def test_a_run_of_other_parameters_goes_beside_the_notebooks_own(project, given, place, why):
    assert results_place(parse_parameters(DECLARED, "x.py"), given) == (place, why)


def test_defaults_that_were_edited_do_not_replace_the_run_before(project):
    (project / OWN).mkdir(parents=True)
    edited = parse_parameters(DECLARED.replace("seed = 0", "seed = 4"), "x.py")
    for found, expected in (({"seed": 0, "gone": 1}, f"{OWN}-seed=4"), ({"seed": 4}, OWN), ([], OWN)):
        (project / OWN / "run.json").write_text(json.dumps({"parameters": found}))
        assert results_place(edited, {})[0] == expected
