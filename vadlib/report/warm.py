"""One process of a build that has imported what notebooks need, and is forked for each of them.

Imports take many a chapter longer than its computing. `warm_process` starts the process. In an environment that names
its socket, `python -m vadlib.report.warm MODULE ARGUMENTS` has `main` of a module run in a fork, and lives as long as
that; elsewhere it runs it itself. Only imports happen before a fork: they start no threads but BLAS's, which are made
for it.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

SOCKET = "VADLIB_WARM"  # internal: names the socket, for the processes of one build
POLL_S = 0.5  # how soon it is seen that a process's parent is gone
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
IMPORTED = [
    "matplotlib.pyplot", "pandas", "pyarrow.parquet", "scipy.ndimage", "seaborn", "sklearn.cluster",
    "sklearn.linear_model", "sklearn.neighbors", "torch", "torchvision.models",
    "transformers.models.clip.modeling_clip", "ipykernel.ipkernel", "ipykernel.kernelapp", "jupytext", "nbclient",
    "papermill.engines", "sphinx.application", "jupyter_book.cli.main", "myst_nb",
    "vadlib.data", "vadlib.detectors", "vadlib.evaluation", "vadlib.figures", "vadlib.networks",
    "vadlib.report.kernel", "vadlib.runs.experiment",
]  # fmt: skip


@contextmanager
def warm_process(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Start the process; yields `environment` with its socket's name. Without fork or room it is as it was."""
    if sys.platform != "linux":  # elsewhere libraries use frameworks that do not survive a fork
        yield dict(environment)
        return
    try:
        folder = tempfile.mkdtemp(prefix="warm-")
    except OSError:
        yield dict(environment)
        return
    place = str(Path(folder, "s"))
    command = [sys.executable, "-c", "from vadlib.report.warm import serve; serve()"]
    process = None
    try:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as listener:  # bound here: nobody has to wait for it
            listener.bind(place)
            listener.listen(64)
            process = subprocess.Popen(
                [*command, str(listener.fileno())],
                stdin=subprocess.PIPE,  # its end is ours
                env=dict(environment),
                pass_fds=(listener.fileno(),),
                start_new_session=True,  # Ctrl-C is for those who wait for it
            )
        yield {**environment, SOCKET: place} if process else dict(environment)
    finally:
        if process is not None:
            process.stdin.close()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def run_forked(module: str) -> None:
    """Have `main` of a module run in a fork of the warm process, with this process's arguments, folder and files.

    Ends this process as the fork ended. Returns where there is no warm process: then the caller does the work.
    """
    if not os.environ.get(SOCKET):
        return
    with socket.socket(socket.AF_UNIX) as connection:
        task = {"module": module, "argv": sys.argv, "environment": dict(os.environ), "folder": os.getcwd()}
        try:
            connection.connect(os.environ[SOCKET])
            socket.send_fds(connection, [json.dumps(task).encode() + b"\n"], [0, 1, 2])
        except OSError:
            return
        parent, worker = os.getppid(), None
        for signum in FORWARDED:
            signal.signal(signum, lambda signum, _: worker and _kill(worker, signum))
        said = b""
        while not said.endswith(b"."):
            if select.select([connection], [], [], POLL_S)[0]:
                part = connection.recv(64)
                if not part:  # the warm process is gone, and the fork with it
                    os._exit(1)
                said += part
                worker = int(said.split(b",")[0]) if b"," in said else None
            elif os.getppid() != parent:
                os._exit(1)  # the fork sees it
    status = int(said.split(b",")[1].rstrip(b"."))
    if status < 0:  # by the same signal
        with suppress(OSError):  # SIGKILL has no other
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


def _kill(pid: int, signum: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signum)


def serve() -> None:
    """Fork for each that asks, until standard input ends: run in the warm process, with the socket's descriptor."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    ended, ending = socket.socketpair()
    ending.setblocking(False)
    signal.set_wakeup_fd(ending.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    waiting: dict[int, socket.socket] = {}  # who is told how a fork ended
    ready = False
    while True:
        readable = select.select([listener, ended, 0], [], [])[0]
        if 0 in readable:
            for pid in waiting:
                _kill(pid, signal.SIGKILL)
            os._exit(0)
        if ended in readable:
            ended.recv(4096)
            _tell_ends(waiting)
        if listener in readable:
            connection = listener.accept()[0]
            ready = ready or _import_all()  # not before anyone asks: a build may have nothing to do
            task, files = _receive(connection)
            pid = os.fork() if task else None
            if pid == 0:
                for other in (listener, ended, ending, *waiting.values()):
                    other.close()
                _work(task, files, connection)
            for file in files:
                os.close(file)
            if pid is not None:
                waiting[pid] = connection
                with suppress(OSError):
                    connection.sendall(b"%d," % pid)


def _tell_ends(waiting: dict[int, socket.socket]) -> None:
    """Collect the forks that ended, and say how."""
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            connection = waiting.pop(found[0])
            with suppress(OSError):  # it is gone, too
                connection.sendall(b"%d." % os.waitstatus_to_exitcode(found[1]))
            connection.close()


def _import_all() -> bool:
    from vadlib.environment import import_matplotlib
    from vadlib.report.kernel import BACKEND

    os.environ["MPLBACKEND"] = BACKEND
    import_matplotlib()
    for name in IMPORTED:
        import_module(name)
    import_module("vadlib.runs.code_state").library_digests()  # which every chapter's record has
    return True


def _receive(connection: socket.socket) -> tuple[dict | None, list[int]]:
    said, files = b"", []
    while not said.endswith(b"\n"):
        part, descriptors, *_ = socket.recv_fds(connection, 2**16, 3)
        files += descriptors
        if not part:
            return None, files
        said += part
    return json.loads(said), files


def _work(task: dict, files: list[int], connection: socket.socket) -> None:
    """In the fork: become the process that asked, and end with it."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, file in enumerate(files):
            os.dup2(file, number)
            os.close(file)
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        os.environ.clear()
        os.environ.update(task["environment"])
        os.chdir(task["folder"])
        sys.argv = task["argv"]
        if os.environ.get("PYTHONWARNINGS") == "ignore":  # what Python reads when it starts
            warnings.simplefilter("ignore")
        _take_threads()
        import_module(task["module"]).main()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    _finish(status)


def _finish(status: int) -> None:
    """End the fork as an interpreter ends, but for what the warm process has on its stack."""
    import atexit

    with suppress(BaseException):
        threading._shutdown()  # waits for threads that are no daemons
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _end_with(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.recv(1)
    os._exit(1)


def _take_threads() -> None:
    """As many threads as the environment says, which libraries read when they were loaded."""
    import torch
    from threadpoolctl import threadpool_limits

    count = os.environ.get("OMP_NUM_THREADS", "")
    if count.isdecimal() and int(count):
        torch.set_num_threads(int(count))
        threadpool_limits(int(count))


if __name__ == "__main__":
    sys.argv.pop(0)
    from vadlib.report import warm  # not this copy, which is called __main__

    warm.run_forked(sys.argv[0])
    import_module(sys.argv[0]).main()
