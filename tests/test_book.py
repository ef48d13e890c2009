"""The whole report on a tiny world: every notebook runs, and the built pages are what a reader can use."""

import copy
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from graphlib import TopologicalSorter

import pandas as pd
import pytest
import yaml
from tiny_book import check_images, check_links, read_pages, run_chapters, tiny_profile

from vadlib.report import load_results
from vadlib.report.book import assemble, build_pages
from vadlib.report.contents import read_contents
from vadlib.report.notebooks import NotebookError, run_notebook
from vadlib.report.records.recorded import list_recorded, load_recorded

pytestmark = pytest.mark.usefixtures("warm_kernels")
NOTEBOOKS = read_contents().names


@pytest.fixture(scope="module")
def tiny(tiny_world, tmp_path_factory):
    """The profile of the tiny book."""
    path = tmp_path_factory.mktemp("profile") / "tiny.yml"
    path.write_text(yaml.safe_dump(tiny_profile(tiny_world)))
    return path


def in_order():
    """The chapters, each after those that it reads."""
    contents = read_contents()
    return TopologicalSorter({name: contents.upstream(name) for name in contents.names}).static_order()


@pytest.fixture(scope="module")
def tiny_book(tiny, tmp_path_factory):
    """The folder that `make book` would fill: results, executed notebooks and pages."""
    out = tmp_path_factory.mktemp("book")
    run_chapters(in_order(), tiny, out)
    build_pages(out)
    return out


@pytest.fixture(scope="module")
def pages(tiny_book):
    return read_pages(tiny_book)


def test_results_are_whole_and_belong_to_this_run(tiny_book, tiny_world):
    for name in NOTEBOOKS:
        results = load_results(tiny_book / "results" / name)
        assert results.run["experiment"] == name
    padim = load_results(tiny_book / "results" / "02_padim")
    assert padim.metrics["n_frames"] == len(padim.scores) == 100
    assert padim.scores["label"].sum() == 50
    assert padim.run["dataset"]["name"] == "synthcampus"
    assert padim.run["weights"]["trained"] is False
    assert set(padim.scores.columns) >= {"clip", "frame", "label", "max", "mean", "top1%"}


def test_every_page_of_the_contents_is_there(pages, tiny_book, project_root):
    contents = yaml.safe_load((project_root / "_toc.yml").read_text())
    names = [contents["root"], *(chapter["file"] for part in contents["parts"] for chapter in part["chapters"])]
    for name in names:
        page = pages[tiny_book / "html" / f"{name}.html"]
        assert page.find("h1") is not None, name


def test_every_image_and_link_leads_somewhere(pages):
    assert check_images(pages) >= 9
    check_links(pages)


def test_pages_hold_no_traceback_no_gap_and_no_machine_path(pages, tiny_world, project_root):
    gaps = re.compile(
        r"Traceback|Error:|glue:|\{numref\}|\b[Nn]a[Nn]\b|"
        + "|".join(map(re.escape, map(str, (project_root, tiny_world))))
    )
    checked = 0
    for path, page in pages.items():
        if "_modules" in path.parts or path.stem in ("api", "search", "genindex"):
            continue  # code and its documentation may speak of errors
        page = copy.copy(page)
        for code in page.select("div.cell_input"):
            code.extract()
        found = gaps.search(page.get_text())
        assert found is None, f"{path.name} shows {found[0]!r}"
        checked += 1
    assert checked >= 7


def test_each_chapter_says_what_it_ran_on(pages, tiny_book):
    for name in ("book/index", "notebooks/02_padim"):
        text = pages[tiny_book / "html" / f"{name}.html"].get_text()
        assert (
            "profile tiny · SynthCampus (synthetic) · resnet18 (random, seed 0) · 60 frames fitted, 100 tested" in text
        )
        assert "Synthetic data: these numbers show the method, not the world." in text
        assert "random weights" in text


def test_numbers_on_the_page_are_those_of_the_results(pages, tiny_book):
    metrics = load_results(tiny_book / "results" / "02_padim").metrics
    interval = metrics["micro_auroc_interval"]
    shown = f"{interval['estimate']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"
    for name in ("book/deviations", "notebooks/02_padim", "notebooks/21_claims"):
        assert shown in " ".join(pages[tiny_book / "html" / f"{name}.html"].get_text().split()), name


def test_every_recorded_run_is_on_its_page(pages, tiny_book):
    page = pages[tiny_book / "html" / "notebooks" / "90_recorded.html"]
    text = " ".join(page.get_text().split())
    records = [load_recorded(name) for name in list_recorded()]
    for record in records:
        alike = sum(other.command == record.command for other in records)  # make bench-gpu, on several GPUs
        assert text.count(record.command) == 2 * alike, record.name  # in the table, and in its own section
        assert f"Recorded on {record.date} with {record.revision}" in text
    assert len(page.select("h2.rubric")) == len(list_recorded())


def test_downloads_hold_the_scores(tiny_book):
    table = pd.read_csv(assemble(tiny_book) / "results" / "02_padim" / "scores.csv", dtype={"clip": str})
    results = load_results(tiny_book / "results" / "02_padim").scores
    assert table["clip"].tolist() == results["clip"].tolist()
    assert table["max"].to_numpy() == pytest.approx(results["max"].to_numpy(), rel=1e-6)


def test_a_killed_run_leaves_nothing_and_the_next_gives_the_same(tiny_book, tiny, tmp_path, project_root):
    results = tmp_path / "02_padim"
    command = [
        *(sys.executable, "-m", "vadlib.report.warm", "vadlib.report.notebooks", "notebooks/02_padim.py"),
        *(str(tmp_path / "page.ipynb"), "--profile", str(tiny), "--results-root", str(tmp_path)),
    ]
    process = subprocess.Popen(command, cwd=project_root, start_new_session=True, stdout=subprocess.DEVNULL)
    lock = tmp_path / ".02_padim.lock"
    deadline = time.monotonic() + 90
    while not lock.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    assert process.poll() is None, "the run ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not results.exists()
    assert not (tmp_path / "page.ipynb").exists()
    subprocess.run(command, cwd=project_root, check=True, capture_output=True, timeout=180)
    again, undisturbed = load_results(results), load_results(tiny_book / "results" / "02_padim")
    pd.testing.assert_frame_equal(again.scores, undisturbed.scores, check_exact=True)
    seconds = ("fit_seconds", "frame_seconds")
    first, second = ({k: v for k, v in found.metrics.items() if k not in seconds} for found in (again, undisturbed))
    assert json.dumps(first) == json.dumps(second)


def test_corrupt_video_stops_the_chapter_with_its_name_and_no_result(tiny_world, tiny, tmp_path, project_root):
    root = tmp_path / "data"
    shutil.copytree(tiny_world, root)
    frames = sorted((root / "testing" / "frames").glob("*/*.jpg"))
    for frame in frames:
        frame.write_bytes(frame.read_bytes()[:500])
    with pytest.raises(NotebookError, match=r"02_padim.py: cell .* raised UnreadableError: .*\.jpg"):
        run_notebook(
            project_root / "notebooks" / "02_padim.py",
            tmp_path / "page.ipynb",
            profile=tiny,
            parameters={"dataset_root": str(root), "results_dir": str(tmp_path / "results")},
        )
    assert (tmp_path / "page.failed.ipynb").is_file()
    assert "UnreadableError" in (tmp_path / "page.failed.ipynb").read_text()
    assert not (tmp_path / "results").exists()
    assert not (tmp_path / "page.ipynb").exists()
