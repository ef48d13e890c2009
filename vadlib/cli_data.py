"""`vadlib data`: get published data sets, and check copies of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Get published data sets, and check copies of them.")


@app.command()
def check(
    root: Annotated[Path, typer.Argument(help="the data set's folder, or one that holds it as its archive does")],
    dataset: Annotated[str | None, typer.Option(help="its name, instead of a guess by its layout")] = None,
    decode: Annotated[
        bool, typer.Option("--decode", help="read every frame, and the archives beside it: takes its time")
    ] = False,
) -> None:
    """Say what is there, what is missing, and how it differs from what is published. Exit code 1: not complete."""
    from vadlib.data.published.check import check_datasets, report

    checks = check_datasets(root, dataset, decode=decode)
    typer.echo("\n\n".join(map(report, checks)))
    if not all(each.complete for each in checks):
        raise typer.Exit(1)


@app.command()
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
