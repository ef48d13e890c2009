"""Say what this machine lacks before anything is installed: `python3 tools/check_machine.py .venv`."""

import importlib.util
import os
import shutil
import sys

NEEDED_BYTES = 7 * 10**9  # torch and the libraries it brings


def problems(venv):
    """One line for each thing that is missing, with what to do."""
    found = []
    if sys.version_info < (3, 11):
        version = ".".join(str(part) for part in sys.version_info[:3])
        found.append(
            "Python 3.11 or newer is needed, and %s is %s: install a newer one and say make PYTHON=python3.12, "
            "or the like" % (sys.executable, version)
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        found.append("this Python has no venv module: install it (Debian and Ubuntu: the package python3-venv)")
    if not os.path.isfile(os.path.join(venv, "bin", "python")):
        free = shutil.disk_usage(os.path.dirname(os.path.abspath(venv))).free
        if free < NEEDED_BYTES:
            found.append(
                "%.0f GB free are needed here for the environment, and there are %.1f GB: make room, or clone "
                "the project onto a larger disk" % (NEEDED_BYTES / 1e9, free / 1e9)
            )
    return found


if __name__ == "__main__":
    lines = problems(sys.argv[1])
    for line in lines:
        sys.stderr.write("cannot install: %s\n" % line)
    sys.exit(1 if lines else 0)
