"""The process that a notebook's cells run in: IPython's kernel, with nobody's configuration.

`python -m vadlib.report.warm vadlib.report.kernel -f CONNECTION_FILE`, as `kernel_manager` starts it.
"""

import os
import signal

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

from vadlib.environment import import_matplotlib

BACKEND = "module://matplotlib_inline.backend_inline"


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


def main() -> None:
    """Be the kernel."""
    os.environ["MPLBACKEND"] = BACKEND
    import_matplotlib()
    # given, since the class has read it when it was imported: perhaps in another process
    NotebookApp.launch_instance(parent_handle=int(os.environ.get("JPY_PARENT_PID") or 0))
