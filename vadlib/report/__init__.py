"""From results to a report: result folders, where they come from, notebooks with checked parameters, the paper's table.

Names are imported when first used: papermill loads `vadlib.report.notebooks` at every start and must not wait for
pandas.
"""

from importlib import import_module

_HOME = {
    "Chapter": "vadlib.report.chapter",
    "ScoredFrames": "vadlib.report.scored",
    "Experiment": "vadlib.runs.experiment",
    "Results": "vadlib.runs.results",
    "load_results": "vadlib.runs.results",
    "list_recorded": "vadlib.report.records.recorded",
    "load_recorded": "vadlib.report.records.recorded",
    "project_path": "vadlib.storage",
    "notebook_parameters": "vadlib.report.notebooks",
    "run_notebook": "vadlib.report.notebooks",
    "finish_notebook": "vadlib.report.notebooks",
    "compare_with_paper": "vadlib.report.paper",
    "load_paper_values": "vadlib.report.paper",
    "stated_aurocs": "vadlib.report.paper",
}

__all__ = sorted(_HOME)


def __getattr__(name: str):
    """Import the module that a public name lives in."""
    if name not in _HOME:
        raise AttributeError(f"module 'vadlib.report' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
