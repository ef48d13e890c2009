from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vadlib.spans import runs_of_equal, runs_of_ones


@given(st.lists(st.integers(-1, 2), max_size=12))
def test_runs_are_those_of_groupby(values):
    expected, start = [], 0
    for value, group in groupby(values):
        stop = start + len(list(group))
        expected.append((start, stop, value))
        start = stop
    array = np.array(values, np.int8)
    assert runs_of_equal(array).tolist() == [[start, stop] for start, stop, _ in expected]
    assert runs_of_ones(array).tolist() == [[start, stop] for start, stop, value in expected if value == 1]


@pytest.mark.parametrize("values", [["a", "a", "b"], [True, True, False], [0.5, 0.5, 1.0]])
def test_any_kind_of_value_makes_runs(values):
    assert runs_of_equal(np.array(values, object)).tolist() == [[0, 2], [2, 3]]
