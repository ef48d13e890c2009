"""The rooms of the house: imports point down the list of rooms only, and in no circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import vadlib

PACKAGE = Path(vadlib.__file__).parent
# A room may import from the rooms above its line, and from its own.
FLOORS = (
    ("errors", "spans"),
    ("storage", "frame_times"),
    ("evaluation", "figures"),
    ("data", "networks"),
    ("detectors",),
    ("studies",),
    ("environment",),
    ("runs",),
    ("report", "viewer", "apps"),
    ("cli",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}


def imported(path: Path, *, late: bool) -> set[str]:
    """Modules of the library that a module imports: at its top, or (`late`) anywhere."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree) if late else tree.body:
        if id(node) in typing:
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "vadlib":
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            found |= {name if name in MODULES or f"{name}.__init__" in MODULES else node.module for name in full}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("vadlib.")}
    return found - {"vadlib"}


def room_of(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name != "vadlib.__init__"))
def test_no_import_points_up(module):
    own = room_of(module)
    above = {
        name
        for name in imported(MODULES[module], late=True)
        if room_of(name) != own and FLOOR[room_of(name)] >= FLOOR[own]
    }
    assert not above, f"{module} imports from its own floor or from above: {sorted(above)}"


def test_modules_import_each_other_in_no_circle():
    graph = {
        name: {part if part in MODULES else f"{part}.__init__" for part in imported(path, late=True)}
        for name, path in MODULES.items()
        if not name.endswith("__init__")
    }
    packages = {name for name in MODULES if name.endswith("__init__")}
    TopologicalSorter({name: needs - packages - {name} for name, needs in graph.items()}).prepare()  # or CycleError


def test_synthcampus_knows_storage_and_errors_only():
    for path in (PACKAGE.parent / "synthcampus").rglob("*.py"):
        rooms = {room_of(name) for name in imported(path, late=True)}
        assert rooms <= {"storage", "errors"}, f"{path.name} imports {rooms}"


def test_nobody_but_the_command_line_knows_synthcampus():
    users = [
        name
        for name, path in MODULES.items()
        if any(
            line.lstrip().startswith(("from synthcampus", "import synthcampus"))
            for line in path.read_text().splitlines()
        )
    ]
    assert users == ["vadlib.cli"]
