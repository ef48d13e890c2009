"""Colours, which mean one thing everywhere, and the house style. The palette is Okabe and Ito's, which survives
colour blindness.
"""

import matplotlib as mpl
import seaborn as sns

NORMAL, ANOMALOUS, BLIND, CHANCE = "#0072B2", "#D55E00", "#999999", "#666666"
CLASS_NAMES = {0: "normal", 1: "anomalous"}
CLASS_COLOURS = {0: NORMAL, 1: ANOMALOUS}
HEAT = "inferno"


def use_house_style() -> None:
    """Set fonts, sizes and an opaque white ground, and show figures in notebooks as SVG."""
    sns.set_theme(style="ticks", context="notebook")
    mpl.rcParams.update(
        {
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "savefig.bbox": "tight",
            "figure.constrained_layout.use": True,
            "figure.dpi": 110,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": "medium",
            "axes.titleweight": "bold",
            "legend.frameon": False,
            "font.size": 10.5,
        }
    )
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # outside a notebook there is nothing to set
        return
    set_matplotlib_formats("svg")
