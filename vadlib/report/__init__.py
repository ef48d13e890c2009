"""From results to a report: result folders, where they come from, notebooks with checked parameters, the paper's table.

Names are imported when first used: papermill loads `vadlib.report.notebooks` at every start and must not wait for
pandas.
"""

from importlib import import_module

_HOME = {
    "Experiment": "experiment",
    "Results": "results",
    "load_results": "results",
    "list_recorded": "recorded",
    "load_recorded": "recorded",
    "project_path": "storage",
    "notebook_parameters": "notebooks",
    "run_notebook": "notebooks",
    "finish_notebook": "notebooks",
    "compare_with_paper": "paper",
    "load_paper_values": "paper",
}

__all__ = [
    "Experiment",
    "Results",
    "compare_with_paper",
    "finish_notebook",
    "list_recorded",
    "load_paper_values",
    "load_recorded",
    "load_results",
    "notebook_parameters",
    "project_path",
    "run_notebook",
]


def __getattr__(name: str):
    """Import the module that a public name lives in."""
    if name not in _HOME:
        raise AttributeError(f"module 'vadlib.report' has no attribute {name!r}")
    home = "vadlib.storage" if _HOME[name] == "storage" else f"vadlib.report.{_HOME[name]}"
    return getattr(import_module(home), name)
