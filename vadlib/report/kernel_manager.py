"""How notebooks get their kernel: in this very Python, whatever kernels Jupyter finds on the machine."""

import os
import shutil
import sys
import tempfile
import weakref

import click
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

from vadlib.environment import clean_environment
from vadlib.errors import VadError

MAX_FOLDER_BYTES = 80  # of the sockets' folder: the system takes names of sockets of some 100 bytes


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
