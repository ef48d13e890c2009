"""Every plot of the report: arrays and tables in, a matplotlib Figure out. Nothing here reads, computes or writes."""

from vadlib.figures.curves import densities, density_panels, roc, roc_panels, score_by_factor
from vadlib.figures.effects import effect_rows, grouped_interval_rows, span_rows
from vadlib.figures.fonts import make_readable
from vadlib.figures.frames import contact_sheet, heatmap_sheet, map_grid
from vadlib.figures.intervals import forest, interval_rows
from vadlib.figures.labels import class_balance, label_calendar
from vadlib.figures.protocols import protocol_timelines
from vadlib.figures.style import (
    ANOMALOUS,
    BLIND,
    CHANCE,
    CLASS_COLOURS,
    CLASS_NAMES,
    DETECTOR_COLOURS,
    HEAT,
    NORMAL,
    use_house_style,
)
from vadlib.figures.timelines import timeline
from vadlib.figures.watching import ClipTimeline, GalleryRow, clip_timelines, cost_curves, gallery

__all__ = [
    "ANOMALOUS",
    "BLIND",
    "CHANCE",
    "CLASS_COLOURS",
    "CLASS_NAMES",
    "DETECTOR_COLOURS",
    "HEAT",
    "NORMAL",
    "ClipTimeline",
    "GalleryRow",
    "class_balance",
    "clip_timelines",
    "contact_sheet",
    "cost_curves",
    "densities",
    "density_panels",
    "effect_rows",
    "forest",
    "gallery",
    "grouped_interval_rows",
    "heatmap_sheet",
    "interval_rows",
    "label_calendar",
    "make_readable",
    "map_grid",
    "protocol_timelines",
    "roc",
    "roc_panels",
    "score_by_factor",
    "span_rows",
    "timeline",
    "use_house_style",
]
