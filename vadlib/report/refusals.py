"""Errors that papermill's command line prints as one message instead of a traceback."""

import click

from vadlib.errors import VadError
from vadlib.runs.parameters import NotebookParameterError


class RefusedError(NotebookParameterError, click.UsageError):
    """A refusal that papermill's command line prints as one message instead of a traceback."""

    def __init__(self, message: str):
        click.UsageError.__init__(self, message)

    def __str__(self) -> str:
        """The message."""
        return self.message


class KernelError(VadError, click.ClickException):
    """A kernel that does not start; papermill's command line prints it as one message instead of a traceback."""

    def __init__(self, message: str):
        VadError.__init__(self, message)
        click.ClickException.__init__(self, message)
