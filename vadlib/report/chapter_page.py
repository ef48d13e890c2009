"""What a chapter says: figures, values for its prose, the line under its title; and its results, at the end."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import matplotlib.pyplot as plt
from IPython.display import SVG, display
from matplotlib.figure import Figure
from myst_nb import glue

from vadlib.data import VideoDataset
from vadlib.errors import ParameterError
from vadlib.figures import use_house_style
from vadlib.networks import FeatureNetwork
from vadlib.report.contents import figure_label, read_contents
from vadlib.report.records.recorded import Recorded, load_recorded
from vadlib.report.scored import ScoredFrames
from vadlib.report.words.common import chapter_line, data_sentence, in_words, network_name
from vadlib.runs.experiment import Experiment
from vadlib.runs.results import Results
from vadlib.studies.runner import DetectorRunner

MAX_NETWORKS_NAMED = 3
ROLES = ("backbone", "classifier", "embedder")  # parameters that name networks; the first is the one recorded


class ChapterPage:
    """The part of a `Chapter` that speaks to its page and its results folder."""

    def __init__(self, name: str, namespace: Mapping):
        use_house_style()
        contents = read_contents(namespace.get("only"))
        upstream = contents.all_upstream(name) if name in contents.names else ()
        self.run = Experiment.from_notebook(name, namespace, upstream=upstream)
        self.given = SimpleNamespace(**self.run.parameters)
        self.dataset: VideoDataset | None = None
        self.networks: list[FeatureNetwork] = []
        self.n_fit = self.n_test = self.n_recalled = 0
        self.seconds_to_embed: float | None = None  # a frame, where the chapter embeds frames
        self._read: dict[str, Results] = {}
        self._runner: DetectorRunner | None = None
        self._shown: Recorded | None = None
        self._said: dict[str, str] | None = {
            key: f"{value:g}" if isinstance(value, float) else in_words(value)
            for key, value in vars(self.given).items()
            if isinstance(value, int | float | str)
        }

    def record_network(self, network: FeatureNetwork) -> None:
        """Record a network that was made elsewhere; the first is the one that `run.json` and the data note speak of."""
        if not self.networks:
            self.run.record(weights=network.record.as_dict(), precision=network.precision)
        self.networks.append(network)

    # ---- what it says

    def show_record(self, name: str) -> Recorded:
        """A recorded run that this page shows where its data are not at hand: line and note are then the record's."""
        self._shown = load_recorded(name)
        return self._shown

    def figure(self, name: str, figure: Figure, caption: str, *, alt: str) -> None:
        """Show a figure, numbered and with its caption, and keep it as SVG and PNG.

        Parameters
        ----------
        name : str
            Such as `roc`: cited from `02_padim` as ``{numref}`fig-padim-roc```.
        figure : matplotlib.figure.Figure
        caption : str
            One that can be read alone.
        alt : str
            What is seen, for who cannot see it.
        """
        if not caption.strip() or len(alt.split()) < 3:
            raise ParameterError(f"figure {name!r}: give a caption, and an alternative text of some words")
        svg = self.run.figure(name, figure, caption=caption)
        plt.close(figure)  # or the notebook would show it again
        about = {
            "figure": {"name": figure_label(self.run.name, name), "caption": caption},
            "image": {"alt": alt},
            "of": name,
        }
        display(SVG(data=svg), metadata={"image/svg+xml": {"vadlib": about}})

    def say(self, **values) -> None:
        """Give the prose a value, as ``{glue:text}`name```, at `close`.

        Text goes as it is; `Interval` and fractions with three decimals, whole numbers, and None for what was not
        measured.
        """
        if self._said is None:
            raise ParameterError(f"say: {', '.join(values)} come too late; the page got its values from close(...)")
        self._said |= {name: in_words(value) for name, value in values.items()}

    def close(self, *scored: ScoredFrames, **metrics) -> None:
        """Write the results folder, whole or not at all, and give the page its values.

        Parameters
        ----------
        *scored : ScoredFrames
            What the chapter is about first: their figures of merit go to `metrics.json`, and its values to the prose.
        **metrics
            What else was measured: numbers, text, `Interval`, and lists and mappings of these.
        """
        every = {"scores": {}} if scored else {}
        for frames in reversed(scored):
            every |= frames.metrics() | {"scores": frames.score_metrics() | every["scores"]}
        if scored:
            every["n_fit_frames"] = self.n_fit
            words = scored[0].words(metrics.get("localisation"))
            self._said = {name: in_words(value) for name, value in words.items()} | self._said
        self.run.metrics({**every, **metrics})
        if self._runner is not None:
            roles = [getattr(self.given, role, None) for role in ROLES]
            for name in sorted(self._runner.networks, key=lambda name: roles.index(name) if name in roles else -1):
                self.record_network(self._runner.networks[name])
        about: dict = {}  # of the first chapters read that have it: not every detector has a network
        for found in reversed(self._read.values()):
            about |= {key: found.run[key] for key in ("dataset", "weights") if key in found.run}
            about |= {"profile": found.run["parameters"]["profile"]} if "profile" in found.run["parameters"] else {}
        recorded = {} if self.dataset else {key: about[key] for key in ("dataset", "weights") if key in about}
        self.run.record(upstream=sorted(self._read), **recorded)
        self.run.save()
        self.say(**self._page(about))
        for name, text in self._said.items():
            glue(name, text, display=False)
        self._said = None

    def _page(self, read: Mapping) -> dict[str, str]:
        """The line under the title, and the note on the data where there are data; both of what was read upstream."""
        if self._shown is not None:
            run, dataset = self._shown.run, self._shown.run["dataset"]["name"]
            line = chapter_line(
                profile=self._shown.profile, dataset=dataset, seconds=run["seconds"], date=run["started"]
            )
            return {"chapter_line": f"{line} · recorded", "data_note": f"{data_sentence(dataset)} {self._shown.origin}"}
        profile, dataset = (getattr(self.given, name, None) for name in ("profile", "dataset"))
        weights = self.networks[0].record if self.networks else None
        if read:
            profile, dataset = profile or read.get("profile"), dataset or read.get("dataset", {}).get("name")
            weights = weights or read.get("weights")
        named = list(dict.fromkeys(map(network_name, self.networks)))
        line = chapter_line(
            profile=profile,
            dataset=dataset,
            network=", ".join(named) if len(named) <= MAX_NETWORKS_NAMED else f"{len(named)} networks",
            n_fit=self.n_fit,
            n_test=self.n_test,
            seconds=self.run.seconds,
            date=self.run.started,
        )
        return {"chapter_line": line} | (
            {"data_note": data_sentence(dataset, weights, copy=self.dataset)} if dataset else {}
        )
