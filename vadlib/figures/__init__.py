"""Every plot of the report: arrays and tables in, a matplotlib Figure out. Nothing here reads, computes or writes."""

from vadlib.figures.costs import cost_curves
from vadlib.figures.curves import densities, density_panels, roc, roc_panels, score_by_factor
from vadlib.figures.fonts import make_readable
from vadlib.figures.frames import GalleryRow, contact_sheet, gallery, heat_opacity, heatmap_sheet, map_grid
from vadlib.figures.labels import class_balance, label_calendar
from vadlib.figures.rows import effect_rows, forest, interval_rows, span_rows
from vadlib.figures.style import (
    ANOMALOUS,
    BLIND,
    CHANCE,
    CLASS_COLOURS,
    CLASS_NAMES,
    HEAT,
    NORMAL,
    use_house_style,
)
from vadlib.figures.timelines import ClipTimeline, clip_timelines, protocol_timelines, timeline

__all__ = [
    "ANOMALOUS", "BLIND", "CHANCE", "CLASS_COLOURS", "CLASS_NAMES", "HEAT", "NORMAL",
    "ClipTimeline", "GalleryRow", "class_balance", "clip_timelines", "contact_sheet", "cost_curves", "densities",
    "density_panels", "effect_rows", "forest", "gallery", "heat_opacity", "heatmap_sheet",
    "interval_rows", "label_calendar", "make_readable", "map_grid", "protocol_timelines", "roc", "roc_panels",
    "score_by_factor", "span_rows", "timeline", "use_house_style",
]  # fmt: skip
