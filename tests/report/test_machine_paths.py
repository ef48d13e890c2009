"""Paths that a book must not give away: found however they are written, and nothing else changed."""

import html
import json

import jupytext
import nbformat
import papermill.translators
import pytest

from vadlib.report.book import assemble
from vadlib.report.machine_paths import hide_paths


@pytest.mark.parametrize(
    "name", ["videos", "my videos", "a.b", 'the "gate"', "it's", "caf\u00e9 \U0001f3a5", "a&b", "a\\b"]
)
def test_a_path_is_hidden_as_text_source_and_html(name):
    path, hidden = f"/home/ann/{name}", hide_paths([f"/home/ann/{name}"])
    written = papermill.translators.PythonTranslator.codify({"dataset_root": path})
    for text in (path, f"read {path}/normal/a.mp4: {path}.", written, repr(path), html.escape(f"<b>{path}</b>")):
        assert "/home/ann" in text
        assert "ann" not in hidden(text), text
        assert f"path/to/{name}" in hidden(text)
    assert hidden(f"{path}/normal/a.mp4") == f"path/to/{name}/normal/a.mp4"


def test_other_names_and_values_stay():
    hidden = hide_paths(["/data", "/data/gate", "relative/data", "/"])
    value = {"a": ["/data2", "/more/data", "https://a.org/data", 1, None, True, "3/4"], "/data": "/data/gate/a.mp4"}
    assert hidden(value) == {"a": value["a"], "path/to/data": "path/to/gate/a.mp4"}
    assert hide_paths([])("/data") == "/data"


def test_what_a_link_leads_to_is_hidden_too(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert hide_paths([str(tmp_path / "link")])(f"{tmp_path}/real/a.mp4") == "path/to/link/a.mp4"


def test_notebooks_and_records_of_a_book_name_no_folder(tmp_path, project_root, monkeypatch):
    monkeypatch.chdir(project_root)
    root, weights = "/home/ann/my videos", "/home/ann/nets/r18.pth"
    results = tmp_path / "results" / "30_footage"
    results.mkdir(parents=True)
    parameters = {"dataset_root": root, "weights": weights, "compared": ["resnet18:/home/ann/other.pth"], "seed": 0}
    (results / "run.json").write_text(
        json.dumps({"parameters": parameters, "argv": "/opt/python/bin/python -m x", "files": [], "figures": {}})
    )
    (tmp_path / "notebooks").mkdir()
    page = jupytext.read(project_root / "notebooks" / "30_footage.py")
    first = next(cell for cell in page.cells if cell.cell_type == "code")
    first.source = f'dataset_root = "{root}"'
    first.outputs = [nbformat.v4.new_output("stream", text=f"Left out {root}/normal/a.mp4, /home/ann/other.pth")]
    (tmp_path / "notebooks" / "30_footage.ipynb").write_text(nbformat.writes(page))
    source = assemble(tmp_path)
    for path in (source / "notebooks" / "30_footage.ipynb", source / "results" / "30_footage" / "run.json"):
        text = path.read_text()
        assert "/home/ann" not in text
        assert "path/to/my videos" in text
    run = json.loads((source / "results" / "30_footage" / "run.json").read_text())
    assert run["parameters"]["weights"] == "path/to/r18.pth"
    assert run["argv"] == "path/to/python -m x"
    assert json.loads((results / "run.json").read_text())["parameters"] == parameters  # the result itself is as it was
