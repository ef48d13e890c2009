"""How papermill reads a percent script and checks its parameters.

Papermill alone only warns of a parameter that the notebook does not have. A notebook read by `handler` refuses it
before any cell runs or any file is written; notebooks read in other ways go through papermill unchanged. Papermill
imports this at every start, so what is heavy is imported where it is used.
"""

import logging
import os
import warnings
from collections.abc import Mapping

import click

from vadlib.errors import LayoutError, ParameterError
from vadlib.runs.parameters import NotebookParameterError, check_parameters, notebook_parameters

SCHEME = "jupytext://"
KERNEL = "python3"  # what pages of any Python are marked with
MARK = "vadlib_source"  # in the notebook's metadata while papermill has it: the script it was read from

# papermill expects input files to end in .ipynb
warnings.filterwarnings("ignore", message=rf"the specified file \({SCHEME}", category=UserWarning)


class RefusedError(NotebookParameterError, click.UsageError):
    """A refusal that papermill's command line prints as one message instead of a traceback."""

    def __init__(self, message: str):
        click.UsageError.__init__(self, message)

    def __str__(self) -> str:
        """The message."""
        return self.message


class JupytextHandler:
    """Papermill's input handler for `jupytext://PATH`, PATH a percent script."""

    def read(self, path: str) -> str:
        """The notebook as JSON, marked so that its parameters will be checked.

        RefusedError where there is no such script, or its parameters cell is not understood.
        """
        import jupytext
        import nbformat

        source = path.removeprefix(SCHEME)
        try:
            notebook_parameters(source)
        except (LayoutError, ParameterError) as error:
            raise RefusedError(str(error)) from None
        notebook = jupytext.read(source)
        notebook.metadata.pop("jupytext", None)
        notebook.metadata["kernelspec"] = {
            "name": KERNEL,
            "display_name": "Python 3",
            **notebook.metadata.get("kernelspec", {}),
            "language": "python",  # papermill needs it before the kernel has said so
        }
        notebook.metadata[MARK] = os.path.abspath(source)
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"cell-{number:03d}"  # jupytext's are random; ours keep outputs comparable
        _check_in_papermill()
        return nbformat.writes(notebook, version=4)

    def listdir(self, path: str) -> list[str]:
        """Not a folder."""
        raise NotImplementedError(f"{SCHEME} reads single notebooks; it lists no folders.")

    def write(self, buf: str, path: str) -> None:
        """Read only."""
        raise RefusedError(f"{SCHEME} is for the input; give the output as a plain path ending in .ipynb.")

    def pretty_path(self, path: str) -> str:
        """As given."""
        return path


handler = JupytextHandler()


def _check_in_papermill() -> None:
    """Make papermill's standard engines check the parameters of notebooks that `handler` read."""
    from papermill.engines import papermill_engines

    for name in (None, "nbclient"):
        engine = papermill_engines.get_engine(name)
        if not getattr(engine, "checks_parameters", False):
            papermill_engines.register(name, _checked(engine))
    logger = logging.getLogger("papermill")
    if _without_unknown not in logger.filters:
        logger.addFilter(_without_unknown)


def _checked(engine: type) -> type:
    """`engine`, changed only for notebooks that carry our mark."""
    from papermill.translators import PythonTranslator, papermill_translators

    class CheckedEngine(engine):
        checks_parameters = True

        @classmethod
        def nb_language(cls, nb, language=None):
            """Asked for just before parameters go into a cell: have a translator write them that checks."""
            source = nb.metadata.get(MARK)
            if source is None:
                return super().nb_language(nb, language)

            class CheckedTranslator(PythonTranslator):
                @classmethod
                def codify(cls, parameters, comment="Parameters"):
                    return super().codify(_check(source, parameters), comment)

            papermill_translators.register(f"{SCHEME}{source}", CheckedTranslator)
            return f"{SCHEME}{source}"

        @classmethod
        def execute_notebook(cls, nb, kernel_name, **options):
            """Drop what belongs to other notebooks from the record; refuse what slipped past the translator.

            The kernel is this Python's, unless one of another name was asked for.
            """
            source = nb.metadata.pop(MARK, None)
            if source is None:
                return super().execute_notebook(nb, kernel_name, **options)
            nb.metadata.papermill["parameters"] = _check(source, nb.metadata.papermill.get("parameters", {}))
            if kernel_name != KERNEL:
                return super().execute_notebook(nb, kernel_name, **options)
            from nbclient.exceptions import DeadKernelError

            from vadlib.report.kernel import KernelError, OwnKernelManager

            try:
                return super().execute_notebook(nb, kernel_name, **options, kernel_manager_class=OwnKernelManager)
            except DeadKernelError:
                raise
            except RuntimeError as error:  # so jupyter_client says that a kernel died, or was silent, from the start
                raise KernelError(
                    f"{os.path.basename(source)} was not run: {error} (what it said stands above)"
                ) from error

    return CheckedEngine


def _check(source: str, parameters: Mapping) -> dict:
    try:
        return check_parameters(source, parameters)
    except NotebookParameterError as error:
        raise RefusedError(str(error)) from None


def _without_unknown(record: logging.LogRecord) -> bool:
    """Drop papermill's warning of unknown parameters: they are either another notebook's, or refused."""
    return not record.getMessage().startswith("Passed unknown parameter")
