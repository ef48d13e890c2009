"""The process that a notebook's cells run in: IPython's kernel in this very Python, with nobody's configuration.

`OwnKernelManager` starts `python -m vadlib.report.warm vadlib.report.kernel -f CONNECTION_FILE`.
"""

import os
import shutil
import signal
import sys
import tempfile
import weakref

import click
from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from vadlib.environment import clean_environment, import_matplotlib
from vadlib.errors import VadError

BACKEND = "module://matplotlib_inline.backend_inline"
MAX_FOLDER_BYTES = 80  # of the sockets' folder: the system takes names of sockets of some 100 bytes


class NotebookKernel(IPythonKernel):
    """One that an interrupt reaches in a cell alone.

    Jupyter interrupts every kernel before it shuts it down. Where the last, small request was still being answered,
    IPython's would report an error.
    """

    def pre_handler_hook(self) -> None:
        """Before a request is handled."""
        super().pre_handler_hook()
        if self.get_parent("shell").get("header", {}).get("msg_type") != "execute_request":
            signal.signal(signal.SIGINT, signal.SIG_IGN)


class NotebookApp(IPKernelApp):
    """The kernel's application; it reads no configuration files, neither a user's nor the machine's."""

    kernel_class = NotebookKernel

    def load_config_file(self, *_, **__) -> None:
        """Read none."""


class KernelError(VadError, click.ClickException):
    """A kernel that does not start; papermill's command line prints it as one message instead of a traceback."""

    def __init__(self, message: str):
        VadError.__init__(self, message)
        click.ClickException.__init__(self, message)


class OwnKernelManager(AsyncKernelManager):
    """Starts `vadlib.report.kernel` in the clean environment.

    It is spoken to through sockets in a folder of its own: no port that others could reach, nothing that two runs
    share, no folder of the user's.
    """

    def __init__(self, **options):
        super().__init__(**options)
        folder = tempfile.gettempdir()
        if len(os.fsencode(folder)) > MAX_FOLDER_BYTES:
            folder = "/tmp"
        try:
            sockets = tempfile.mkdtemp(prefix="kernel-", dir=folder)
        except OSError as error:
            raise _not_started(error, folder) from error
        weakref.finalize(self, shutil.rmtree, sockets, ignore_errors=True)
        self.transport, self.ip = "ipc", os.path.join(sockets, "k")
        self.connection_file = os.path.join(sockets, "kernel.json")

    @property
    def kernel_spec(self) -> KernelSpec:
        """That of this Python; none is looked for."""
        command = [sys.executable, "-m", "vadlib.report.warm", "vadlib.report.kernel", "-f", "{connection_file}"]
        return KernelSpec(argv=command, name="python3", display_name="Python 3", language="python")

    async def start_kernel(self, **options) -> None:
        """Start it; KernelError where the process or its sockets cannot be made."""
        try:
            await super().start_kernel(**options | {"env": clean_environment()})
        except OSError as error:
            raise _not_started(error, os.path.dirname(os.path.dirname(self.connection_file))) from error


def _not_started(error: OSError, folder: str) -> KernelError:
    return KernelError(
        f"the kernel that runs the notebook could not be started: {error}. It needs some kilobytes in "
        f"{folder}: make room there, or name another folder, of at most {MAX_FOLDER_BYTES} bytes, in the environment "
        "variable TMPDIR"
    )


def main() -> None:
    """Be the kernel."""
    os.environ["MPLBACKEND"] = BACKEND
    import_matplotlib()
    # given, since the class has read it when it was imported: perhaps in another process
    NotebookApp.launch_instance(parent_handle=int(os.environ.get("JPY_PARENT_PID") or 0))
