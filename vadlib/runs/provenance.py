"""Where a result comes from: code, versions, machine, time and memory."""

import os
import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

RECORDED_DIR = "book/recorded"  # results, not code: writing one there leaves the code as it was

KEY_PACKAGES = (
    *("vadlib", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "av"),
    *("opencv-python-headless", "opencv-python", "torch", "torchvision", "transformers", "timm"),
    *("matplotlib", "seaborn", "papermill", "jupytext"),
)


def git_revision(folder: str | os.PathLike) -> dict | None:
    """The revision that `folder` is at; None where there is no git or no repository.

    It has `revision` (full hash; None before the first commit) and `dirty` (files changed or new since then, recorded
    results aside).
    """

    def git(*arguments):
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    try:
        status = git("status", "--porcelain", "--", ":(top)", f":(exclude){RECORDED_DIR}")
        if status.returncode != 0:
            return None
        head = git("rev-parse", "--verify", "HEAD")
    except (OSError, subprocess.TimeoutExpired):
        return None
    revision = head.stdout.strip() if head.returncode == 0 else None
    return {"revision": revision, "dirty": bool(status.stdout.strip())}


def package_versions() -> dict[str, str]:
    """Versions of Python and of those key packages that are installed."""
    found = {"python": platform.python_version()}
    for name in KEY_PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


@cache
def hardware() -> dict:
    """The machine: `cpu` (model), `cores` that this process may use, `memory_bytes`, `system`."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        cores = os.cpu_count() or 1
    try:
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        memory_bytes = None
    system = f"{platform.system()} {platform.machine()}"
    return {"cpu": _cpu_model(), "cores": cores, "memory_bytes": memory_bytes, "system": system}


def device_name() -> str:
    """The device that did the work, in words: the CUDA device once this process has used one, else the processor."""
    names = [torch.cuda.get_device_name(gpu) for torch, gpu in _gpus_in_use()]
    if names:
        return ", ".join(names)
    machine = hardware()
    return f"{machine['cpu']} ({machine['cores']} {'core' if machine['cores'] == 1 else 'cores'})"


def peak_host_bytes() -> int:
    """The most memory that this process has held so far, in bytes.

    On Linux it is the kernel's high-water mark of this program alone (`getrusage` would count what started it).
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # macOS counts bytes, the others KiB


def peak_device_bytes() -> int | None:
    """The most CUDA memory that tensors of this process have held so far, in bytes, of the device that held most.

    None where no CUDA device was used.
    """
    return max((int(torch.cuda.max_memory_allocated(gpu)) for torch, gpu in _gpus_in_use()), default=None)


def synchronize() -> None:
    """Wait until the CUDA device, if one is in use, has done what it was given: a clock read now tells the truth."""
    for torch, gpu in _gpus_in_use():
        torch.cuda.synchronize(gpu)


def _gpus_in_use() -> list:
    """`torch` and the number of each CUDA device that this process has used; torch is not imported for that."""
    torch = sys.modules.get("torch")
    if torch is None or not (torch.cuda.is_available() and torch.cuda.is_initialized()):
        return []
    return [(torch, gpu) for gpu in range(torch.cuda.device_count()) if torch.cuda.max_memory_allocated(gpu) > 0]


def _cpu_model() -> str:
    try:
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.partition(":")[2].strip()
    except (OSError, subprocess.CalledProcessError):
        pass
    return platform.processor() or platform.machine() or "unknown processor"
