"""Work done ahead by threads, handed over in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
_POLL_S = 0.05  # how soon a waiting thread sees that it is to stop
_END = object()


def prefetch(jobs: Sequence[Callable[[], Iterable[Item]]], *, n_threads: int, n_ahead: int) -> Iterator[Item]:
    """Yield what the jobs yield, job by job in their order, while threads work on the next ones.

    At most ``2 * n_threads + 1`` jobs are begun and not yet handed over, each with at most `n_ahead` items
    waiting, so memory is bounded however many jobs there are and however slow the caller is. Closing the
    iterator (leaving a loop over it) stops the threads after the item each is working on, and waits for that.
    """
    work = _Work(jobs, n_threads, n_ahead)
    threads = [
        threading.Thread(target=work.run, name=f"prefetch-{i}", daemon=True) for i in range(min(n_threads, len(jobs)))
    ]
    try:
        for thread in threads:
            thread.start()
        for _ in jobs:
            line = work.lines.get()
            while (item := line.get()) is not _END:
                if isinstance(item, _Failure):
                    raise item.error
                yield item
            work.slots.release()
    finally:
        work.stop.set()
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join()


class _Failure:
    """An exception on its way from a thread to the caller."""

    def __init__(self, error: BaseException):
        self.error = error


class _Work:
    """What the threads of one iteration share."""

    def __init__(self, jobs: Sequence[Callable[[], Iterable[Any]]], n_threads: int, n_ahead: int):
        self.jobs = iter(jobs)
        self.n_ahead = n_ahead
        self.lines: queue.SimpleQueue[queue.Queue] = queue.SimpleQueue()  # one line a job, in the jobs' order
        self.slots = threading.Semaphore(2 * n_threads + 1)
        self.lock = threading.Lock()
        self.stop = threading.Event()

    def run(self) -> None:
        """Do jobs until there are none, or until told to stop."""
        while self._take_slot():
            with self.lock:
                job = next(self.jobs, None)
                if job is None:
                    return
                line: queue.Queue = queue.Queue(self.n_ahead)
                self.lines.put(line)
            try:
                for item in job():
                    if not self._put(line, item):
                        return
            except BaseException as error:
                self._put(line, _Failure(error))
            self._put(line, _END)

    def _take_slot(self) -> bool:
        while not self.stop.is_set():
            if self.slots.acquire(timeout=_POLL_S):
                return True
        return False

    def _put(self, line: queue.Queue, item: Any) -> bool:
        while not self.stop.is_set():
            try:
                line.put(item, timeout=_POLL_S)
                return True
            except queue.Full:
                continue
        return False
