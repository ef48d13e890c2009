"""The process that a notebook's cells run in: IPython's kernel, with nobody's configuration.

`python -m vadlib.report.kernel -f CONNECTION_FILE`, as `kernel_manager` starts it.
"""

import os
import signal

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp

from vadlib.environment import import_matplotlib


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


if __name__ == "__main__":
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    import_matplotlib()
    NotebookApp.launch_instance()
