"""Work done in forks of one process that has imported what notebooks need: it looks as if each had been started alone."""

import inspect
import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module

import pytest

from vadlib.report.warm import SOCKET, warm_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no warm process")
MODULE = """
import atexit, json, os, signal, sys, time

def main():
    atexit.register(print, "at exit")
    how = sys.argv[1]
    if how == "facts":
        import torch
        found = {"argv": sys.argv, "folder": os.getcwd(), "mark": os.environ.get("MARK"), "parent": os.getppid()}
        print(json.dumps(found | {"threads": torch.get_num_threads(), "given": sys.stdin.read()}))
    elif how == "fails":
        raise ValueError("on purpose")
    elif how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "waits":
        try:
            print(os.getpid(), flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted")
    else:
        sys.exit(int(how))
"""


@pytest.fixture(scope="module")
def warm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("warm")
    (folder / "made_module.py").write_text(MODULE)
    with warm_process(os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}) as environment:
        yield environment


def start(environment, how, **options):
    command = [sys.executable, "-m", "vadlib.report.warm", "made_module", how]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(command, text=True, env=environment, **pipes | options)


def test_the_fork_has_the_arguments_folder_environment_files_and_threads_of_who_asked(warm, tmp_path):
    facts = []
    for environment in (warm, {name: value for name, value in warm.items() if name != SOCKET}):
        process = start(
            environment | {"MARK": "mine", "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}, "facts", cwd=tmp_path
        )
        out, _ = process.communicate("typed")
        line, *after = out.splitlines()
        assert after == ["at exit"]
        facts.append(json.loads(line))
    assert facts[0].pop("parent") != os.getpid() == facts[1].pop("parent")
    assert facts[0] == facts[1]
    assert facts[0]["folder"] == str(tmp_path)
    assert facts[0]["given"] == "typed"


@pytest.mark.parametrize(
    ("how", "code", "said"), [("0", 0, ""), ("3", 3, ""), ("fails", 1, "ValueError: on purpose\n")]
)
def test_the_command_ends_as_the_fork_does(warm, how, code, said):
    process = start(warm, how)
    _, error = process.communicate()
    assert (process.returncode, error[-len(said) :] if said else error) == (code, said)


def test_a_fork_that_is_killed_shows_as_a_command_that_is(warm):
    process = start(warm, "killed")
    process.communicate()
    assert process.returncode == -signal.SIGKILL


def test_an_interrupt_of_the_command_reaches_the_fork(warm):
    process = start(warm, "waits")
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate()[0].startswith("interrupted")


def test_a_killed_command_takes_its_fork_along(warm):
    process = start(warm, "waits")
    pid = int(process.stdout.readline())
    process.kill()
    process.communicate(timeout=10)
    assert gone(pid)


def test_the_end_of_the_warm_process_ends_the_forks(tmp_path):
    (tmp_path / "made_module.py").write_text(MODULE)
    with warm_process(os.environ | {"PYTHONPATH": str(tmp_path)}) as environment:
        process = start(environment, "waits")
        pid = int(process.stdout.readline())
    process.communicate(timeout=10)
    assert process.returncode
    assert gone(pid)
    assert not os.path.exists(environment[SOCKET])


def gone(pid):
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{pid}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("module", ["vadlib.report.notebooks", "vadlib.report.book", "vadlib.report.kernel"])
def test_what_a_build_has_forked_is_a_main_without_arguments(module):
    assert not inspect.signature(import_module(module).main).parameters
