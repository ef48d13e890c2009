"""Small books for tests: their chapters run, and what a reader needs of any page is checked."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup

from vadlib.report.notebooks import notebook_parameters, run_notebook

ROOT = Path(__file__).parents[1]
SMALL = {"n_test_normal": 20, "n_test_abnormal": 20, "n_components": 20, "n_prototypes": 5, "n_neighbours": 5}
FEW = SMALL | {"n_fit_frames": 20, "n_fit_labelled": 10}
VARIED = {
    "PaDiM": {"n_components": [10], "image_size": [96], "n_fit": [10], "epsilon": [0.1], "layers": ["layer2"]},
    "Grad-CAM + SSIM": {"layers": ["layer3"], "map_size": [16], "image_size": [96], "n_fit": [10]},
    "SPADE": {"k": [3], "image_size": [96], "n_fit": [10]},
    "Prototypes": {"k": [3], "top_k": [2]},
}
NETWORKS = {
    "compared_networks": ["resnet18:random", "efficientnet_lite0:random"],
    "compared_embedders": ["clip_vision:random", "clip_vision:absent"],
    "compared_everywhere": [],
    "compared_layers": ["layer2", "layer1 layer2 layer3"],
    "compared_sizes": [64, 96],
}
CHAPTERS = {
    "03_gradcam_ssim": {"n_fit_frames": 20},
    "05_spade": {"n_localised": 6},
    "22_labels_alone": {"n_simulated": 4, "simulated_aurocs": [0.8]},
    "23_protocols": SMALL | {"n_fit_frames": 10, "seeds": [0, 1]},
    "24_same_labels": FEW,
    "25_choices": FEW | {"varied": VARIED},
    "28_networks": FEW | NETWORKS,
    "30_footage": {"n_fit_frames": 30, "frames_a_second": 2.0, "n_examples": 1, "n_in_viewer": 2},
}


def tiny_profile(world: os.PathLike) -> dict:
    """The demo's profile, made small enough for a book of a minute or two."""
    profile = yaml.safe_load((ROOT / "notebooks/profiles/demo.yml").read_text())
    networks = {"backbone": "resnet18:random", "classifier": "resnet18:random", "embedder": "clip_vision:random"}
    counts = {"n_fit_frames": 60, "n_fit_labelled": 20, "n_test_normal": 50, "n_test_abnormal": 50, "n_localised": 12}
    counts |= {"n_prototypes": 5, "n_neighbours": 10, "n_resamples": 100, "image_size": 64}
    return profile | networks | counts | {"profile": "tiny", "dataset_root": str(world), "chapters": CHAPTERS}


def run_chapters(names, profile: Path, out: Path) -> None:
    """Run chapters as `make book` would, into `out`."""
    places = {"upstream_dir": str(out / "results"), "cache_dir": str(out / "embeddings")}
    for name in names:
        script = ROOT / f"notebooks/{name}.py"
        folders = places | {"results_dir": str(out / "results" / name)}
        parameters = {key: value for key, value in folders.items() if key in notebook_parameters(script)}
        run_notebook(script, out / f"notebooks/{name}.ipynb", profile=profile, parameters=parameters)


def read_pages(out: Path) -> dict[Path, BeautifulSoup]:
    """The built pages, by their files."""
    return {path: BeautifulSoup(path.read_text(), "html.parser") for path in (out / "html").rglob("*.html")}


def check_images(pages) -> int:
    """Every image is there and says what it shows; gives their number."""
    images = [(path, image) for path, page in pages.items() for image in page.select("article img")]
    for path, image in images:
        assert (path.parent / unquote(image["src"])).is_file(), f"{path.name}: {image['src']}"
        assert len(image.get("alt", "")) > 20, f"{path.name}: {image['src']} has no alt text"
    return len(images)


def check_links(pages) -> None:
    """Every link inside the book leads to a file, and to a place in it."""
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
