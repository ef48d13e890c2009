import threading
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadlib.data.reading.prefetch import prefetch


def own_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@given(
    lengths=st.lists(st.integers(0, 7), max_size=12),
    n_threads=st.integers(1, 5),
    n_ahead=st.integers(1, 4),
)
def test_same_as_one_after_another(lengths, n_threads, n_ahead):
    jobs = [partial(lambda job, n: ((job, i) for i in range(n)), job, n) for job, n in enumerate(lengths)]
    expected = [(job, i) for job, n in enumerate(lengths) for i in range(n)]
    assert list(prefetch(jobs, n_threads=n_threads, n_ahead=n_ahead)) == expected
    assert own_threads() == []


def test_jobs_run_at_the_same_time():
    barrier = threading.Barrier(3, timeout=5)  # passed only by three threads together

    def job(number):
        barrier.wait()
        yield number

    assert list(prefetch([partial(job, i) for i in range(3)], n_threads=3, n_ahead=1)) == [0, 1, 2]


def test_work_ahead_is_bounded():
    begun, made = [], []

    def job(number):
        begun.append(number)
        for i in range(100):
            made.append((number, i))
            yield i

    items = prefetch([partial(job, i) for i in range(50)], n_threads=2, n_ahead=3)
    next(items)
    time.sleep(0.3)  # time enough to make all 5,000
    assert len(begun) <= 5
    assert len(made) <= 1 + 2 * (3 + 1)  # each of two threads: a full line, and one in hand
    items.close()


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_error_comes_after_the_items_before_it(n_threads):
    def job(number):
        yield number
        if number == 3:
            raise ValueError("job 3")

    got = []
    with pytest.raises(ValueError, match="job 3"):
        got.extend(iter_into(got, prefetch([partial(job, i) for i in range(9)], n_threads=n_threads, n_ahead=2)))
    assert got == [0, 1, 2, 3]
    assert own_threads() == []


def iter_into(got, items):
    for item in items:
        got.append(item)
    return []


def test_leaving_the_loop_stops_the_threads_soon():
    closed = []

    def endless(number):
        try:
            while True:
                yield number
        finally:
            closed.append(number)

    for _item in prefetch([partial(endless, i) for i in range(4)], n_threads=3, n_ahead=2):
        break
    start = time.monotonic()
    del _item
    assert own_threads() == []
    assert time.monotonic() - start < 1
    assert sorted(closed) == list(range(len(closed)))  # every job that was begun was also closed
    assert closed
