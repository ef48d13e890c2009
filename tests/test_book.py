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
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
import yaml
from bs4 import BeautifulSoup

from vadlib.report import load_results
from vadlib.report.book import assemble, build_pages
from vadlib.report.contents import read_contents
from vadlib.report.notebooks import NotebookError, notebook_parameters, run_notebook
from vadlib.report.records.recorded import list_recorded, load_recorded

pytestmark = pytest.mark.usefixtures("warm_kernels")
NOTEBOOKS = read_contents().names
SMALL = {"n_test_normal": 20, "n_test_abnormal": 20, "n_components": 20, "n_prototypes": 5, "n_neighbours": 5}
FEW = SMALL | {"n_fit_frames": 20, "n_fit_labelled": 10}
CHAPTERS = {
    "03_gradcam_ssim": {"n_fit_frames": 20},
    "05_spade": {"n_localised": 6},
    "22_labels_alone": {"n_simulated": 4, "simulated_aurocs": [0.8]},
    "23_protocols": SMALL | {"n_fit_frames": 10, "seeds": [0, 1]},
    "24_same_labels": FEW,
    "25_choices": FEW
    | {
        "varied": {
            "PaDiM": {"n_components": [10], "image_size": [96], "n_fit": [10], "epsilon": [0.1], "layers": ["layer2"]},
            "Grad-CAM + SSIM": {"layers": ["layer3"], "map_size": [16], "image_size": [96], "n_fit": [10]},
            "SPADE": {"k": [3], "image_size": [96], "n_fit": [10]},
            "Prototypes": {"k": [3], "top_k": [2]},
        }
    },
    "28_networks": FEW
    | {
        "compared_networks": ["resnet18:random", "efficientnet_lite0:random"],
        "compared_embedders": ["clip_vision:random", "clip_vision:absent"],
        "compared_everywhere": [],
        "compared_layers": ["layer2", "layer1 layer2 layer3"],
        "compared_sizes": [64, 96],
    },
    "30_footage": {"n_fit_frames": 30, "frames_a_second": 2.0, "n_examples": 1, "n_in_viewer": 2},
}


@pytest.fixture(scope="module")
def tiny_profile(tiny_world, tmp_path_factory):
    profile = yaml.safe_load((Path(__file__).parents[1] / "notebooks" / "profiles" / "demo.yml").read_text())
    profile |= {
        "profile": "tiny",
        "dataset_root": str(tiny_world),
        "image_size": 64,
        "backbone": "resnet18:random",
        "classifier": "resnet18:random",
        "embedder": "clip_vision:random",
        "n_fit_frames": 60,
        "n_fit_labelled": 20,
        "n_prototypes": 5,
        "n_neighbours": 10,
        "n_localised": 12,
        "n_test_normal": 50,
        "n_test_abnormal": 50,
        "n_resamples": 100,
        "chapters": {name: own for name, own in CHAPTERS.items() if name in NOTEBOOKS},
    }
    path = tmp_path_factory.mktemp("profile") / "tiny.yml"
    path.write_text(yaml.safe_dump(profile))
    return path


def in_order():
    """The chapters, each after those that it reads."""
    contents = read_contents()
    return TopologicalSorter({name: contents.upstream(name) for name in contents.names}).static_order()


@pytest.fixture(scope="module")
def tiny_book(tiny_profile, tmp_path_factory, project_root):
    """The folder that `make book` would fill: results, executed notebooks and pages."""
    out = tmp_path_factory.mktemp("book")
    for name in in_order():
        declared = notebook_parameters(project_root / "notebooks" / f"{name}.py")
        folders = {
            "results_dir": str(out / "results" / name),
            "upstream_dir": str(out / "results"),
            "cache_dir": str(out / "embeddings"),
        }
        run_notebook(
            project_root / "notebooks" / f"{name}.py",
            out / "notebooks" / f"{name}.ipynb",
            profile=tiny_profile,
            parameters={key: value for key, value in folders.items() if key in declared},
        )
    build_pages(out)
    return out


@pytest.fixture(scope="module")
def pages(tiny_book):
    html = tiny_book / "html"
    return {path: BeautifulSoup(path.read_text(), "html.parser") for path in html.rglob("*.html")}


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


def test_every_image_is_there_and_says_what_it_shows(pages):
    n_images = 0
    for path, page in pages.items():
        for image in page.select("article img"):
            n_images += 1
            assert (path.parent / unquote(image["src"])).is_file(), f"{path.name}: {image['src']}"
            assert len(image.get("alt", "")) > 20, f"{path.name}: {image['src']} has no alt text"
    assert n_images >= 9


def test_no_internal_link_is_broken(pages):
    for path, page in pages.items():
        for link in page.select("article a[href], article iframe[src]"):
            address = link["src"] if link.name == "iframe" else link["href"]
            target = urlsplit(address)
            if target.scheme or target.netloc:
                continue
            file = (path.parent / unquote(target.path)).resolve() if target.path else path
            assert file.is_file(), f"{path.name}: {address}"
            if target.fragment and file in pages:
                anchor = unquote(target.fragment)
                is_moment = file.name == "viewer.html" and "/" in anchor  # CLIP/FRAME, which its script reads
                assert is_moment or pages[file].find(id=anchor) is not None, f"{path.name}: {address}"


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


def test_a_killed_run_leaves_nothing_and_the_next_gives_the_same(tiny_book, tiny_profile, tmp_path, project_root):
    results = tmp_path / "02_padim"
    command = [
        *(sys.executable, "-m", "vadlib.report.warm", "vadlib.report.notebooks", "notebooks/02_padim.py"),
        *(str(tmp_path / "page.ipynb"), "--profile", str(tiny_profile), "--results-root", str(tmp_path)),
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


def test_corrupt_video_stops_the_chapter_with_its_name_and_no_result(tiny_world, tiny_profile, tmp_path, project_root):
    root = tmp_path / "data"
    shutil.copytree(tiny_world, root)
    frames = sorted((root / "testing" / "frames").glob("*/*.jpg"))
    for frame in frames:
        frame.write_bytes(frame.read_bytes()[:500])
    with pytest.raises(NotebookError, match=r"02_padim.py: cell .* raised UnreadableError: .*\.jpg"):
        run_notebook(
            project_root / "notebooks" / "02_padim.py",
            tmp_path / "page.ipynb",
            profile=tiny_profile,
            parameters={"dataset_root": str(root), "results_dir": str(tmp_path / "results")},
        )
    assert (tmp_path / "page.failed.ipynb").is_file()
    assert "UnreadableError" in (tmp_path / "page.failed.ipynb").read_text()
    assert not (tmp_path / "results").exists()
    assert not (tmp_path / "page.ipynb").exists()
