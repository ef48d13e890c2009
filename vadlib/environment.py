"""The environment that the report runs in: this machine's, without what its user has set up for other work.

One environment for commands, Snakemake, kernels and Jupyter Book. Folders that those programs keep for themselves lie
in `_build/.environment`, so that a home that is not there, cannot be written or is full is no obstacle. Weights stay
where the user has them.
"""

import atexit
import os
import shutil
import sys
import tempfile
from contextlib import chdir
from functools import cache
from pathlib import Path

import vadlib
from vadlib.storage import project_root

# What variables of the programs that the report runs begin with; none reaches them. A list of those that may stay
# would have no end: accelerators, threads, proxies, caches of weights and clusters each have their own.
STEERING = ("PYTHON", "PYDEVD_", "MPL", "MATPLOTLIB", "SEABORN_", "IPYTHON", "JUPYTER", "JPY_", "PAPERMILL_", "TQDM_")
STEERING += ("SNAKEMAKE", "SPHINX", "DOCUTILS", "BASH_")  # Snakemake runs bash, which would read $BASH_ENV
LEFT = ("PYTHONNOUSERSITE",)  # keeps more outside, not less


def clean_environment() -> dict[str, str]:
    """The environment for a process of the report.

    Returns
    -------
    dict of str to str
        Also where this process has a part of it already: cleaned twice is cleaned once.
    """
    given = os.environ
    kept = {name: value for name, value in given.items() if not _steers(name)}
    place = _own_folder(project_root())
    if os.path.expanduser("~") == "~":  # a user without a name, as containers have
        kept["HOME"] = str(place)
    caches = kept.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    kept.setdefault("HF_HOME", os.path.join(caches, "huggingface"))
    kept.setdefault("TORCH_HOME", os.path.join(caches, "torch"))
    own = {"XDG_CACHE_HOME": "cache", "MPLCONFIGDIR": "matplotlib", "IPYTHONDIR": "ipython"}
    own |= {f"JUPYTER_{kind}_DIR": f"jupyter/{kind.lower()}" for kind in ("CONFIG", "DATA", "RUNTIME")}
    for name, folder in own.items():
        (place / folder).mkdir(parents=True, exist_ok=True)
        kept[name] = str(place / folder)
    above = str(Path(vadlib.__file__).resolve().parents[1])
    if above in map(os.path.realpath, given.get("PYTHONPATH", "").split(os.pathsep)):
        kept["PYTHONPATH"] = above  # vadlib itself is imported from there
    # Without the second, kernels warn of frozen modules.
    return kept | {"PYTHONUTF8": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


def enter_clean_environment() -> None:
    """Have this process, which was started as a command, go on in the clean environment.

    What Python itself reads when it starts (`PYTHON...`, and the locale's encoding, which names of files are read in)
    only another start can change: then the same command is started anew, in this process. In a process that was
    started as something else, nothing happens.
    """
    n_arguments = len(sys.argv) - 1
    if not n_arguments or sys.orig_argv[-n_arguments:] != sys.argv[1:]:
        return
    clean = clean_environment()
    differs = any(name.startswith("PYTHON") and clean.get(name) != value for name, value in os.environ.items())
    undecodable = sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1"
    if differs or undecodable:
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], clean)
    os.environ.clear()
    os.environ.update(clean)


def import_matplotlib() -> None:
    """Import matplotlib where no matplotlibrc lies: it would read one in the working directory before any other."""
    with chdir(os.environ.get("MPLCONFIGDIR", ".")):
        import matplotlib.font_manager  # noqa: F401


def _steers(name: str) -> bool:
    return name.startswith(STEERING) and name not in LEFT


@cache
def _own_folder(root: Path | None) -> Path:
    """A folder that can be written: in the project, or else one that goes with this process."""
    if root is not None:
        try:
            folder = root / "_build" / ".environment"
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            pass
        else:
            return folder
    folder = Path(tempfile.mkdtemp(prefix="vadlib-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
