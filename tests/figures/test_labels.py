import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from vadlib import figures


def test_calendar_draws_each_stretch_in_its_colour():
    labels = [0, 0, 1, 1, 1, 0]
    table = pd.DataFrame({"clip": ["c"] * 6, "frame": range(6), "label": np.array(labels, dtype=np.int8)})
    bars = figures.label_calendar(table).axes[0].patches
    drawn = [(bar.get_x(), bar.get_width(), to_hex(bar.get_facecolor()).upper()) for bar in bars]
    assert drawn == [(0, 2, figures.NORMAL), (2, 3, figures.ANOMALOUS), (5, 1, figures.NORMAL)]


def test_class_balance_writes_the_counts():
    counts = pd.DataFrame({"normal": [1200, 30], "anomalous": [4, 500]}, index=["scene 01", "scene 02"])
    texts = {text.get_text() for text in figures.class_balance(counts).axes[0].texts}
    assert texts == {"1,200", "30", "4", "500"}
