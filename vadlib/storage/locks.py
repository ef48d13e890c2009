"""One run at a time in a folder."""

import fcntl
import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from vadlib.errors import BusyError, ResultsError


class RunLock:
    """A lock for one path, held by one process; the kernel frees it when the process ends, however it ends.

    The lock is a hidden file beside `path`. Inside one process a later lock for the same path takes over from an
    earlier one, so that a cell can be run again in a live kernel. `path` is what is to be written; it need not exist.
    """

    _held: dict[Path, "RunLock"] = {}  # noqa: RUF012  (one for the whole process, on purpose)

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.file = self.path.parent / f".{self.path.name}.lock"
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object, not a later one, holds the lock."""
        return RunLock._held.get(self.file) is self

    @property
    def descriptors(self) -> tuple[int, ...]:
        """Open files to hand to a child process (`pass_fds`), which then holds the lock, too, should this one die."""
        return () if self._descriptor is None else (self._descriptor,)

    @property
    def taken_over(self) -> bool:
        """Whether a later object of this process holds the lock."""
        return RunLock._held.get(self.file, self) is not self

    def acquire(self) -> "RunLock":
        """Take the lock now: BusyError where another process holds it, ResultsError where it cannot be written."""
        if self.held:
            return self
        earlier = RunLock._held.pop(self.file, None)
        if earlier is not None:
            self._descriptor, earlier._descriptor = earlier._descriptor, None
        else:
            try:
                self._descriptor = self._open_locked()
            except OSError as error:
                raise ResultsError(
                    f"{self.path} cannot be written there: {error.strerror or error}. Make room, or choose another "
                    "folder."
                ) from error
        RunLock._held[self.file] = self
        return self

    def _open_locked(self) -> int:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(descriptor, 200).decode(errors="replace").strip()
                os.close(descriptor)
                raise BusyError(
                    f"{self.path} is being written by another run ({holder or 'unknown process'}). "
                    "Wait for it, stop it, or choose another folder (for a chapter: another results_dir)."
                ) from None
            try:  # the last holder may have removed the file between our open and our lock
                if os.stat(self.file).st_ino == os.fstat(descriptor).st_ino:
                    break
            except FileNotFoundError:
                pass
            os.close(descriptor)
        with suppress(OSError):  # on a full disk the lock does not say who holds it, and holds
            os.truncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC".encode())
        return descriptor

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        if self.held:
            del RunLock._held[self.file]
            self.file.unlink(missing_ok=True)  # while still locked, so no one else can be in between
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> "RunLock":
        """Acquire."""
        return self.acquire()

    def __exit__(self, *_) -> None:
        """Release."""
        self.release()
