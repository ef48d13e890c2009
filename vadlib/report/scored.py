"""Scores of the test frames, and what every chapter shows of them: compositions of `evaluation` and `figures`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from vadlib.data import read_frame
from vadlib.data.reading.views import heatmap_in_frame
from vadlib.detectors import Detector
from vadlib.detectors.catalogue import colours
from vadlib.evaluation import (
    Interval,
    auroc_by_group,
    bootstrap_auroc,
    bootstrap_difference,
    bootstrap_roc_band,
    compare_all,
    equal_normal_overlap,
    event_of_frames,
    extreme_frames,
    overlap_coefficient,
    summarize,
)
from vadlib.figures import NORMAL, densities, density_panels, heatmap_sheet, interval_rows, roc, roc_panels
from vadlib.report.paper import load_paper_values
from vadlib.report.tables import table_of_merit
from vadlib.report.words.common import SCORE_NAMES, chance_sentence
from vadlib.runs.results import Results
from vadlib.studies.pointing import localise

if TYPE_CHECKING:
    from vadlib.report.chapter import Chapter

LEAST_RESAMPLES, RESAMPLES_A_PAIR = 1000, 20  # fewer cannot reach a verdict over many pairs
N_EXAMPLES = 3  # of each kind
EXAMPLES = (("hit", 1, True), ("miss", 1, False), ("false alarm", 0, True))


@dataclass(frozen=True, eq=False)
class ScoredFrames:
    """Scores of the test frames; every interval resamples clips, as often as the chapter's `n_resamples` says.

    Attributes
    ----------
    chapter : Chapter
    table : DataFrame
        `clip`, `frame`, `label`, `scene`, and one column a score.
    columns : tuple of str
        Names of the scores.
    main : str
        The one that stands for the rest.
    detector : Detector or None
        What the scores are of.
    """

    chapter: Chapter
    table: pd.DataFrame
    columns: tuple[str, ...]
    main: str
    detector: Detector | None = None

    def __len__(self) -> int:
        """Test frames."""
        return len(self.table)

    @property
    def title(self) -> str:
        """The detector's."""
        return self.detector.title if self.detector else self.main

    @property
    def colour(self) -> str:
        """The detector's."""
        return self.detector.colour if self.detector else NORMAL

    @property
    def resampling(self) -> dict:
        """How intervals are made: `clusters`, `n_resamples`, `seed`."""
        given = self.chapter.given
        return {"clusters": self.table["clip"], "n_resamples": given.n_resamples, "seed": given.seed}

    @cached_property
    def intervals(self) -> dict[str, Interval]:
        """Each column's AUROC."""
        labels = self.table["label"]
        return {name: bootstrap_auroc(labels, self.table[name], **self.resampling) for name in self.columns}

    @cached_property
    def summaries(self) -> dict[str, dict]:
        """Each column's other figures of merit."""
        return {name: summarize(self.table, name) for name in self.columns}

    @cached_property
    def overlaps(self) -> dict[str, float]:
        """By column: the share of the area that the densities of normal and anomalous frames have in common."""
        return {name: overlap_coefficient(self.table["label"], self.table[name]) for name in self.columns}

    @property
    def overlap(self) -> float:
        """The main column's."""
        return self.overlaps[self.main]

    @cached_property
    def by_kind(self) -> pd.DataFrame:
        """AUROC of each kind of event, or of each clip where the data set names no events; best first."""
        events = self.chapter.dataset.events
        kinds = event_of_frames(self.table, events) if len(events) else self.table["clip"].to_numpy()
        given = self.chapter.given
        return auroc_by_group(self.table, self.main, kinds, n_resamples=given.n_resamples, seed=given.seed)

    def extremes(self, *, label: int, highest: bool, n: int) -> pd.DataFrame:
        """Frames of one class that score highest or lowest, at most one a clip."""
        return extreme_frames(self.table, self.main, label=label, highest=highest, n=n)

    def difference(self, a: str, b: str) -> Interval:
        """AUROC of one column minus that of another, on the same resamples."""
        return bootstrap_difference(self.table["label"], self.table[a], self.table[b], **self.resampling)

    def compare(self, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Every pair of some columns, or of all, on the same resamples (see `compare_all`)."""
        columns = list(columns or self.columns)
        n_pairs = len(columns) * (len(columns) - 1) // 2
        enough = max(self.chapter.given.n_resamples, LEAST_RESAMPLES, RESAMPLES_A_PAIR * n_pairs)
        scores = {name: self.table[name] for name in columns}
        return compare_all(self.table["label"], scores, **{**self.resampling, "n_resamples": enough})

    def difference_to(self, other: Results) -> Interval:
        """AUROC of the main column minus that of another chapter's, on the frames that both scored."""
        theirs = other.scores[["clip", "frame", other.metrics["main_score"]]].set_axis(
            ["clip", "frame", "other"], axis=1
        )
        both = self.table.merge(theirs, on=["clip", "frame"], validate="one_to_one")
        return bootstrap_difference(
            both["label"], both[self.main], both["other"], **self.resampling | {"clusters": both["clip"]}
        )

    def localise(self, n: int) -> dict[str, Interval] | None:
        """How often the heatmap points at the anomaly, in `n` anomalous frames."""
        with self.chapter.stage("localise"):
            seed, read = (
                self.chapter.given.seed,
                partial(self.chapter.read, description="locating", inputs=self.detector.reads),
            )
            return localise(self.detector, self.chapter.dataset, self.table, read, n=n, seed=seed)

    def merits(self, names: Mapping[str, str] | None = None) -> pd.DataFrame:
        """Each column's figures of merit, as a table; `names` says what to write for a column."""
        return table_of_merit(self.intervals, self.summaries, names=names)

    @property
    def costs(self) -> dict[str, float]:
        """Seconds that fitting, and scoring a frame, took, decoding and embedding included; empty where not timed."""
        stages = {name: found["seconds"] for name, found in self.chapter.run.stages.items()}
        embedding = self.chapter.seconds_to_embed
        if embedding is not None and "fit and score" in stages:
            fit = stages["fit and score"] + self.chapter.n_fit * embedding
            return {"fit_seconds": fit, "frame_seconds": embedding}
        if {"fit", "score"} <= set(stages):
            return {"fit_seconds": stages["fit"], "frame_seconds": stages["score"] / len(self)}
        return {}

    # ---- what is kept, and what is said

    def score_metrics(self) -> dict[str, dict]:
        """By column, its figures of merit."""
        return {name: {"micro_auroc_interval": self.intervals[name], **self.summaries[name]} for name in self.columns}

    def metrics(self) -> dict:
        """What `metrics.json` says of every chapter's scores, under the same names."""
        found = {
            **self.summaries[self.main],
            "main_score": self.main,
            "micro_auroc_interval": self.intervals[self.main],
        }
        if self.detector is None:
            return found
        kinds = self.by_kind[["n_frames", "n_clips", "estimate", "low", "high"]].to_dict("index")
        return found | {
            "detector": self.title,
            "detectors": {self.title: self.main},
            "overlap": self.overlap,
            "n_parameters": self.detector.network.n_parameters if self.detector.network else 0,
            **self.costs,
            "by_kind": {
                kind: {name: None if pd.isna(value) else value for name, value in row.items()}
                for kind, row in kinds.items()
            },
        }

    def words(self, located: Mapping | None = None) -> dict[str, object]:
        """What the prose of a chapter says of its scores, by the name to cite."""
        main, stages = self.intervals[self.main], self.chapter.run.stages
        words = {
            "micro_auroc": main,
            "verdict": chance_sentence(main),
            "score_name": SCORE_NAMES.get(self.main, self.main),
            **{f"auroc_{name}": interval for name, interval in self.intervals.items()},
        }
        if self.detector is None:
            return words
        best, worst = self.by_kind.iloc[0], self.by_kind.iloc[-1]
        words |= {
            "overlap": f"{self.overlap:.0%}",
            "best_kind": f"{best.name} ({best['estimate']:.3f})",
            "worst_kind": f"{worst.name} ({worst['estimate']:.3f})",
            "n_fitted": self.chapter.n_fit,
            "pointing": f"{located['pointing']:.2f}" if located else None,
            "pointing_chance": f"{located['mask_share']:.2f}" if located else None,
        }
        if self.detector.paper is not None:
            words["paper_auroc"] = load_paper_values()[f"{self.detector.paper}_auroc"].value
            words["paper_overlap"] = f"{equal_normal_overlap(words['paper_auroc']):.0%}"
        if {"fit", "score"} <= set(stages):
            before = " (of frames that another chapter had decoded before)" if self.chapter.n_recalled else ""
            words["fit_time"] = f"{stages['fit']['seconds']:.0f} s{before}"
            words["milliseconds"] = f"{1000 * stages['score']['seconds'] / len(self):.0f}"
        return words

    # ---- figures

    def draw_heatmaps(self) -> Figure:
        """The surest hits, worst misses and loudest false alarms under their heatmaps, on one colour scale."""
        chosen = [
            self.extremes(label=value, highest=highest, n=N_EXAMPLES).assign(what=what)
            for what, value, highest in EXAMPLES
        ]
        frames = pd.concat(chosen).drop_duplicates(["clip", "frame"], ignore_index=True)
        dataset, reader = (
            self.chapter.dataset,
            self.chapter.read(frames, "heatmaps", inputs=self.detector.reads, progress=False),
        )
        pictures = [read_frame(dataset, row.clip, row.frame) for row in frames.itertuples()]
        heat: dict[int, np.ndarray] = {}
        for batch in reader:
            heat |= dict(
                zip(batch.rows.tolist(), self.detector.heatmap(batch.images, scenes=batch.scenes), strict=True)
            )
        return heatmap_sheet(
            pictures,
            [heatmap_in_frame(heat[row], pictures[row].shape[:2], reader.view) for row in range(len(frames))],
            [f"{row.what}: {row.clip}, frame {row.frame}" for row in frames.itertuples()],
            masks=[dataset.pixel_mask(row.clip, row.frame) for row in frames.itertuples()],
            label=self.detector.heat_label,
        )

    def draw_roc(self, curves: Mapping[str, str] | None = None) -> Figure:
        """ROC curves with their bands: of the main column, or of `curves`, title to column."""
        return roc(self._roc_curves(curves or {self.title: self.main}))

    def draw_roc_panels(self) -> Figure:
        """The ROC curves of all columns, which are detectors' titles: all on one axis, then each alone."""
        return roc_panels(self._roc_curves({title: title for title in self.columns}))

    def _roc_curves(self, curves: Mapping[str, str]) -> dict[str, tuple]:
        labels = self.table["label"]
        return {
            title: (
                bootstrap_roc_band(labels, self.table[name], **self.resampling),
                self.intervals[name],
                colours()[title],
            )
            for title, name in curves.items()
        }

    def draw_densities(self, xlabel: str | None = None, columns: tuple[str, ...] = ()) -> Figure:
        """The densities of the two classes' scores: of the main column, or a panel for each of `columns`."""
        labels = self.table["label"].to_numpy()
        if not columns:
            return densities(labels, self.table[self.main].to_numpy(), xlabel=xlabel or self.main)
        return density_panels(
            {f"{n}: overlap {self.overlaps[n]:.0%}": (labels, self.table[n], f"{n} score") for n in columns}
        )

    def draw_kinds(self) -> Figure:
        """`by_kind` as dots with intervals."""
        notes = [f"{row.n_frames} frames, {row.n_clips} clip(s)" for row in self.by_kind.itertuples()]
        rows, events = self.by_kind.assign(colour=self.colour, note=notes), self.chapter.dataset.events
        if "seen_in" in events:
            seen = events.drop_duplicates("event").set_index("event")["seen_in"]
            rows.index = [f"{kind} ({seen[kind]})" if kind in seen else kind for kind in rows.index]
        return interval_rows(rows)

    def show_kinds(self) -> None:
        """Show `draw_kinds` as the chapter's figure `kinds`."""
        self.chapter.figure(
            "kinds",
            self.draw_kinds(),
            f"AUROC of {self.title} for the anomalous frames of each kind of event, or of each clip, against all "
            "normal frames. Lines: 95 % intervals over clips; a dot alone comes from a single clip, which has none.",
            alt="Dots with intervals: AUROC by kind of event",
        )
