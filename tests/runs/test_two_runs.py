"""Two notebooks at once, in one project: each finishes with its own numbers."""

import sys
from subprocess import PIPE, Popen

import nbformat


def test_two_runs_at_once_do_not_cross(project):
    runs = [
        Popen(
            [
                *(sys.executable, "-m", "vadlib.report.notebooks"),
                *("notebooks/02_padim.py", f"out/{seed}.ipynb", f"seed={seed}"),
            ],
            cwd=project,
            stdout=PIPE,
            stderr=PIPE,
            text=True,
        )
        for seed in (5, 6, 7)
    ]
    for run in runs:
        _, errors = run.communicate(timeout=120)
        assert run.returncode == 0, errors
    for seed in (5, 6, 7):
        notebook = nbformat.read(project / "out" / f"{seed}.ipynb", as_version=4)
        printed = [output["text"] for cell in notebook.cells for output in cell.get("outputs", [])]
        assert f"ran with {seed} " in printed[0]
    assert not list(project.glob("kernel*"))
