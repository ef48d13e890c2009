import pandas as pd

from vadlib.figures import cost_curves

COLOURS = {"A": "#009E73"}


def test_curves_and_the_thresholds_in_use():
    curves = {"A": pd.DataFrame({"x": [0, 1, 4], "y": [0.0, 0.5, 1.0]})}
    axis = cost_curves(curves, {"A": (1, 0.5)}, COLOURS, x="x", y="y", xlabel="a", ylabel="b").axes[0]
    curve, mark = axis.lines
    assert curve.get_xdata().tolist() == [0, 1, 4]
    assert curve.get_ydata().tolist() == [0.0, 0.5, 1.0]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (1, 0.5)
    assert axis.get_ylim() == (0, 1.03)
    both = cost_curves(curves, {"A": (1, 0.5)}, COLOURS, x="x", y="y", xlabel="a", ylabel="b", diagonal=True)
    assert len(both.axes[0].lines) == 3
