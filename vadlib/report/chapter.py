"""A chapter: what its notebook is given, what it measured, and the furniture of its page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
import pandas as pd

from vadlib import networks
from vadlib.data import Split, VideoDataset, draw, open_dataset
from vadlib.data.reading.batches import BatchReader
from vadlib.data.reading.inputs import Frames, Inputs
from vadlib.detectors import Detector, embed_frames
from vadlib.networks import FeatureNetwork
from vadlib.report.chapter_page import ChapterPage
from vadlib.report.contents import read_contents
from vadlib.report.scored import ScoredFrames
from vadlib.runs.results import Results, join_scores, load_results
from vadlib.storage import project_path
from vadlib.studies.cross_fit import frames_of
from vadlib.studies.draws import ProtocolDraws, draw_protocols
from vadlib.studies.runner import DetectorRunner, DetectorSpec, main_scores

N_TIMED = 96  # frames: some seconds' work


class Chapter(ChapterPage):
    """One run of a notebook: `chapter = Chapter("02_padim", globals())`, in the first cell after the parameters.

    It holds the results folder's lock until `close`, and gives the page what all pages have: the line under the title,
    the note on the data, figures with captions, downloads. Every parameter can be cited as ``{glue:text}`seed```, and
    is `chapter.given.seed` in code.

    Parameters
    ----------
    name : str
        The notebook's name, without folder and ending.
    namespace : mapping
        The kernel's names, in which every parameter that the notebook declares has its value.

    Raises
    ------
    LayoutError, BusyError, ResultsError
        No such notebook; another run writes the same results; `results_dir` holds something else.
    """

    # ---- what it is given

    def open_dataset(self, *, labels_alone: bool = False) -> VideoDataset:
        """The data set that the parameters `dataset` and `dataset_root` name.

        With `labels_alone`, clips of which only the labels are there are kept, unless `allow_missing` is set.
        """
        given = self.given
        videos = open_dataset(
            given.dataset,
            project_path(given.dataset_root),
            allow_missing=labels_alone or given.allow_missing,
            skip_unreadable=given.skip_unreadable,
        )
        self.dataset = videos if labels_alone and not given.allow_missing else videos.with_pictures()
        self.run.record(dataset=self.dataset)
        return self.dataset

    def draw(
        self, protocol: str = "official-split", *, fit_normal: int, fit_abnormal: int = 0, table: pd.DataFrame = None
    ) -> Split:
        """Frames to fit on, and the test frames that the parameters ask for, by `seed`; from `table` or all frames."""
        given = self.given
        return draw(
            self.dataset.frame_table() if table is None else table,
            protocol,
            fit_normal,
            fit_abnormal,
            given.n_test_normal,
            given.n_test_abnormal,
            given.seed,
            n_folds=getattr(given, "n_folds", 5),
        )

    def draw_protocols(self, *, fit_official: int, fit_each: int) -> ProtocolDraws:
        """As `studies.draws.draw_protocols`, by the parameters `protocols`, `n_test_*`, `seed` and `n_folds`."""
        given = self.given
        return draw_protocols(
            self.dataset.frame_table(),
            given.protocols,
            fit_official=fit_official,
            fit_each=fit_each,
            test_normal=given.n_test_normal,
            test_abnormal=given.n_test_abnormal,
            seed=given.seed,
            n_folds=given.n_folds,
        )

    def runner(self, normal: Split, labelled: Split, others: Iterable[Split] = ()) -> DetectorRunner:
        """Many detectors under one reading of the frames; the networks they take are recorded at `close`."""
        given = self.given
        self._runner = DetectorRunner(
            self.dataset,
            normal,
            labelled,
            others=list(others),
            batch_size=given.batch_size,
            seed=given.seed,
            device=given.device,
            skip_unreadable=given.skip_unreadable,
        )
        return self._runner

    def open_network(self, name: str) -> FeatureNetwork:
        """A network by architecture and weights, such as `resnet18:imagenet`; recorded, and named under the title."""
        device = networks.resolve_device(getattr(self.given, "device", "auto"))
        network = networks.open_network(name, seed=self.given.seed).to(device)
        self.record_network(network)
        return network

    def read(
        self, table: pd.DataFrame, description: str, *, fresh: bool = False, inputs: Inputs | None = None, **options
    ) -> BatchReader:
        """A reader of some frames, as the parameters `image_size`, `batch_size` and `skip_unreadable` say, and `view`.

        What belongs to a frame are `inputs`, such as a detector's `reads`; by default, the frame alone. What is timed a
        frame reads `fresh`: decoded, even where another chapter of this build has decoded it before. `options` are
        further ones of a reader.
        """
        given = self.given
        return (inputs or Frames()).open(
            self.dataset,
            table,
            size=(given.image_size, given.image_size),
            batch_size=given.batch_size,
            view=getattr(given, "view", "whole"),
            skip_unreadable=given.skip_unreadable,
            description=description,
            fresh=fresh,
            **options,
        )

    def upstream(self, name: str) -> Results:
        """The results of another chapter. `report.contents` finds these calls, and so knows what a chapter needs."""
        if name not in self._read:
            self._read[name] = load_results(f"{self.given.upstream_dir}/{name}")
        return self._read[name]

    def detector_results(self) -> dict[str, Results]:
        """The results of every chapter of this book on one detector, by the detector's title, in the book's order."""
        names = read_contents(getattr(self.given, "only", None)).detector_chapters(self.run.name)
        return {found.metrics["detector"]: found for found in map(self.upstream, names)}

    def all_results(self) -> dict[str, Results]:
        """The results of every other chapter of this book, by its name, in the book's order."""
        names = read_contents(getattr(self.given, "only", None)).upstream(self.run.name)
        return {name: self.upstream(name) for name in names}

    # ---- what it does

    def stage(self, name: str) -> AbstractContextManager:
        """Time a part of the run: `with chapter.stage("embed"):`."""
        return self.run.stage(name)

    def fit_and_score(self, detector: Detector, split: Split) -> ScoredFrames:
        """Fit on the split's fit frames, score its test frames; both are timed, and what was skipped is counted."""
        with self.stage("fit"):
            reader = self.read(split.fit, "fitting", inputs=detector.reads)
            detector.fit(reader)
        n_fit, self.n_recalled = len(split.fit) - len(reader.skipped), reader.n_recalled
        self.run.record(skipped_in_fit=len(reader.skipped), recalled_in_fit=reader.n_recalled)
        reader = self.read(split.test, "scoring", fresh=True, inputs=detector.reads)
        with self.stage("score"):
            columns = detector.score_columns(reader)
        return self.scores(split.test, columns, detector=detector, n_fit=n_fit, skipped=reader.skipped)

    def embed(self, network: FeatureNetwork, splits: Sequence[Split]) -> pd.DataFrame:
        """Embeddings of all frames of some splits, float32 (n, D), indexed as the frame table; kept in `cache_dir`.

        Test frames of the first split are embedded once more without the cache, to time it.
        """
        frames = frames_of(self.dataset.frame_table(), splits)
        with self.stage("embed"):
            embedded = embed_frames(network, self.read(frames, "embedding"), cache=project_path(self.given.cache_dir))
        timed = self.read(splits[0].folds[0].test.head(N_TIMED), "timing", fresh=True)
        with self.stage("embed without cache"):
            embed_frames(network, timed)
        self.seconds_to_embed = self.run.stages["embed without cache"]["seconds"] / timed.n_frames
        skipped = int(np.isnan(embedded[:, 0]).sum())
        self.run.record(n_timed=timed.n_frames, n_embedded=len(frames), skipped_in_embedding=skipped)
        return pd.DataFrame(embedded, index=frames.index)

    def scores(
        self,
        table: pd.DataFrame,
        columns: Mapping[str, np.ndarray],
        *,
        detector: Detector | None = None,
        main: str | None = None,
        n_fit: int = 0,
        skipped=(),
    ) -> ScoredFrames:
        """Take the scores of the test frames, however they were made.

        Parameters
        ----------
        table, columns, skipped
            As for `Experiment.scores`.
        detector : Detector, optional
            The one that the chapter is about; it is kept beside the results where `save_detector` is set.
        main : str, optional
            The column that stands for the rest; by default the detector's, or the first.
        n_fit : int
            Frames fitted on.
        """
        kept = self.run.scores(table, columns, skipped=skipped)
        self.n_fit, self.n_test = n_fit, len(kept)
        if detector is not None and getattr(self.given, "save_detector", False):
            self.run.attach("detector", detector.save)
        main = main or (detector.main_score if detector is not None else next(iter(columns)))
        return ScoredFrames(self, kept, tuple(columns), main, detector)

    def detector_scores(self, detectors: Mapping[str, Results]) -> ScoredFrames:
        """Scores as the detectors' own chapters have them, a column each, of the frames that all of them scored."""
        table, titles = join_scores(detectors.values())
        kept = self.run.scores(table, {title: table[title] for title in titles})
        return ScoredFrames(self, kept, titles, titles[0])

    def run_specs(self, specs: Mapping[str, DetectorSpec]) -> ScoredFrames:
        """The main score of every detector as specified, by the `runner`, of the frames that all could read."""
        return self.column_scores(main_scores(specs, self._runner.run(specs)))

    def column_scores(self, columns: Mapping[str, np.ndarray]) -> ScoredFrames:
        """Scores float32 (n_tested,) of the `runner`'s test frames, of those that have all of them."""
        readable = np.logical_and.reduce([np.isfinite(values) for values in columns.values()])
        return self.scores(
            self._runner.tested, columns, n_fit=len(self._runner.normal.fit), skipped=np.flatnonzero(~readable)
        )
