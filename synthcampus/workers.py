"""Processes that share work. Loky's need no main guard in the caller's script and fork no process that has threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool

from joblib import Parallel, delayed

from vadlib.errors import UnreadableError

_IDLE_S = 5  # then a process ends; so do those whose caller was killed


def as_done(function: Callable, tasks: Iterable[tuple], n_workers: int) -> Iterator:
    """What `function` gives for each task's arguments, as they are done; one worker works in this process."""
    workers = Parallel(
        n_workers, "loky", return_as="generator_unordered", batch_size=1, inner_max_num_threads=1,
        idle_worker_timeout=_IDLE_S,
    )  # fmt: skip
    try:
        yield from workers(delayed(function)(*task) for task in tasks)
    except BrokenProcessPool as error:
        raise UnreadableError(
            f"a process writing the world ended before its time ({error}). Is there memory and disk left?"
        ) from error
