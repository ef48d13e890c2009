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
from contextlib import chdir, suppress
from functools import cache
from pathlib import Path

import vadlib
from vadlib.errors import ResultsError
from vadlib.storage import project_root

# What variables of the programs that the report runs begin with; none reaches them. A list of those that may stay
# would have no end: accelerators, threads, proxies, caches of weights and clusters each have their own.
STEERING = ("PYTHON", "PYDEVD_", "MPL", "MATPLOTLIB", "SEABORN_", "IPYTHON", "JUPYTER", "JPY_", "PAPERMILL_", "TQDM_")
STEERING += ("SNAKEMAKE", "SPHINX", "DOCUTILS", "BASH_")  # Snakemake runs bash, which would read $BASH_ENV
LEFT = ("PYTHONNOUSERSITE",)  # keeps more outside, not less
SET = {
    "PYTHONUTF8": "1",  # names of files are read alike in every locale
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # or kernels warn of frozen modules
    "DOCUTILSCONFIG": os.devnull,  # or Sphinx reads ~/.docutils
}
FOLDERS = {
    "VADLIB_CACHE": "scans",  # for the processes of one build, not for users: it is always set here
    "XDG_CACHE_HOME": "cache",
    "MPLCONFIGDIR": "matplotlib",
    "IPYTHONDIR": "ipython",
}  # in our own
FOLDERS |= {f"JUPYTER_{kind}_DIR": f"jupyter_{kind.lower()}" for kind in ("CONFIG", "DATA", "RUNTIME")}


def clean_environment() -> dict[str, str]:
    """The environment for a process of the report.

    Returns
    -------
    dict of str to str
        Also where this process has a part of it already: cleaned twice is cleaned once.

    Raises
    ------
    ResultsError
        Nothing can be written, neither in the project nor in the folder for temporary files.
    """
    kept, place = _without_steering(), _own_folder(project_root())
    if os.path.expanduser("~") == "~":  # a user without a name, as containers have
        kept["HOME"] = str(place)
    caches = kept.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    kept.setdefault("HF_HOME", os.path.join(caches, "huggingface"))
    kept.setdefault("TORCH_HOME", os.path.join(caches, "torch"))
    kept.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # or waiting threads keep a core busy that other work could have
    return kept | {name: str(place / folder) for name, folder in FOLDERS.items()}


def enter_clean_environment() -> None:
    """Have this process, which was started as a command, go on in the clean environment.

    What Python itself reads when it starts (`PYTHON...`, and the locale's encoding, which names of files are read in)
    only another start can change: then the same command is started anew, in this process. In a process that was
    started as something else, nothing happens.
    """
    n_arguments = len(sys.argv) - 1
    if not n_arguments or sys.orig_argv[-n_arguments:] != sys.argv[1:]:
        return
    kept = _without_steering()
    differs = any(name.startswith("PYTHON") and kept.get(name) != value for name, value in os.environ.items())
    undecodable = sys.getfilesystemencoding() != "utf-8" and os.environ.get("PYTHONUTF8") != "1"
    if differs or undecodable:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], kept)
    clean = clean_environment()
    os.environ.clear()
    os.environ.update(clean)


def import_matplotlib() -> None:
    """Import matplotlib where no matplotlibrc lies: it would read one in the working directory before any other."""
    with chdir(os.environ.get("MPLCONFIGDIR", ".")):
        import matplotlib.font_manager  # noqa: F401


def _without_steering() -> dict[str, str]:
    given = os.environ
    kept = {name: value for name, value in given.items() if name in LEFT or not name.startswith(STEERING)}
    above = str(Path(vadlib.__file__).resolve().parents[1])
    if above in map(os.path.realpath, filter(None, given.get("PYTHONPATH", "").split(os.pathsep))):
        kept["PYTHONPATH"] = above  # vadlib itself is imported from there
    return kept | SET


@cache
def _own_folder(root: Path | None) -> Path:
    """A folder that can be written: in the project, or else one that goes with this process."""
    if root is not None:
        with suppress(OSError):
            return _with_folders(root / "_build" / ".environment")
    try:
        folder = Path(tempfile.mkdtemp(prefix="vadlib-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return _with_folders(folder)
    except OSError as error:
        raise ResultsError(
            f"no folder for passing files can be made: {error}. Make room, or name a folder that can be written in the "
            "environment variable TMPDIR."
        ) from error


def _with_folders(place: Path) -> Path:
    for folder in FOLDERS.values():
        (place / folder).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=place) as file:
        file.write(b"can be written")
    return place
