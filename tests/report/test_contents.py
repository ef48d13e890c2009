"""The contents of books that have only some of the chapters: nothing cites what is not there."""

from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml

from vadlib.errors import LayoutError, ParameterError
from vadlib.report.book import assemble, build_book
from vadlib.report.contents import GLUED, captions, figure_label, read_contents, select_contents


@pytest.fixture
def contents(project_root):
    return yaml.safe_load((project_root / "_toc.yml").read_text())


def files(contents):
    return [contents["root"], *(entry["file"] for part in contents["parts"] for entry in part["chapters"])]


def test_what_a_chapter_reads_is_found_in_its_code(small_book, edit):
    found = read_contents()
    assert found.upstream("01_first") == ()
    assert found.upstream("02_second") == ("01_first",)
    edit("notebooks/02_second.py", 'chapter.upstream("01_first")', "chapter.detector_results()")
    assert read_contents().upstream("02_second") == ()
    edit("notebooks/01_first.py", "chapter.say(n_seen=1)", "chapter.fit_and_score(detector, split)")
    assert read_contents().upstream("02_second") == ("01_first",)
    edit("notebooks/01_first.py", "chapter.fit_and_score(detector, split)", "chapter.scores(t, c, detector=d)")
    found = read_contents()
    assert found.detector_chapters() == found.all_upstream("02_second") == ("01_first",)
    edit("notebooks/01_first.py", "chapter.scores(", "chapter.all_results(); chapter.scores(")
    assert read_contents().upstream("01_first") == ("02_second",)


def test_a_detector_that_reads_the_others_is_not_read_by_them(small_book, edit):
    for name in ("01_first", "02_second"):
        edit(f"notebooks/{name}.py", "chapter = ", "scored.fit_and_score(); chapter = ")
    edit("notebooks/02_second.py", "first = chapter.upstream", "chapter.detector_results(), print")
    found = read_contents()
    assert found.upstream("02_second") == ("01_first",)
    assert found.detector_chapters("01_first") == ()
    assert found.detector_chapters() == ("01_first", "02_second")


def test_what_a_chapter_needs_is_found_in_its_code(small_book, edit):
    found = read_contents()["01_first"]
    assert not found.computes
    assert not found.reads_records
    edit("notebooks/01_first.py", "seed = 0", 'device = "auto"  # which\nseed = 0')
    edit("notebooks/01_first.py", "chapter = ", "from vadlib.report import list_recorded\nchapter = ")
    found = read_contents()["01_first"]
    assert found.computes
    assert found.reads_records


def test_a_smaller_book_has_all_that_its_chapters_read(small_book):
    assert read_contents(["01_first"]).names == ("01_first",)
    with pytest.raises(ParameterError, match="only: 01_first is no chapter, or is read by a chapter named there"):
        read_contents(["02_second"])
    with pytest.raises(ParameterError, match="only: 09_absent is no chapter.*there are 01_first, 02_second"):
        read_contents(["01_first", "09_absent"])
    with pytest.raises(ParameterError, match="no chapter '03_third' in this book; there are 01_first, 02_second"):
        read_contents()["03_third"]


def test_captions_are_those_written_as_text(small_book, edit):
    assert captions(read_contents()["01_first"]) == {"line": {"caption": "A line.", "alt": "A line that goes up"}}
    edit("notebooks/01_first.py", '"A line."', 'caption=f"{seed}"')
    assert captions(read_contents()["01_first"]) == {"line": {"alt": "A line that goes up"}}
    assert figure_label("03_gradcam_ssim", "cam_spread") == "fig-gradcam-ssim-cam-spread"


def test_a_whole_book_is_as_it_is_written(contents, project_root):
    assert select_contents(contents, project_root, None) == contents
    every = [path.stem for path in (project_root / "notebooks").glob("*.py")]
    assert select_contents(contents, project_root, every) == contents


def test_a_book_of_two_chapters_has_pages_that_need_no_other(contents, project_root):
    chapters = ["30_footage", "91_provenance"]
    found = files(select_contents(contents, project_root, chapters))
    assert found[0] == "book/index_watch"
    assert {Path(file).name for file in found if file.startswith("notebooks/")} == set(chapters)
    assert "book/rebuild" in found
    assert "book/deviations" not in found
    for file in found:
        if file.startswith("book/"):
            text = (project_root / f"{file}.md").read_text()
            assert {name for pair in GLUED.findall(text) for name in pair if name} <= set(chapters), file


def test_no_opening_page_is_an_error(contents, project_root):
    with pytest.raises(ParameterError, match="each opening page .* other than 28_networks; name 30_footage"):
        select_contents(contents, project_root, ["28_networks"])


def test_what_other_chapters_left_behind_is_not_in_the_book(tmp_path, project_root, monkeypatch):
    monkeypatch.chdir(project_root)
    for name in ("02_padim", "30_footage", "91_provenance"):
        (tmp_path / "notebooks").mkdir(exist_ok=True)
        script = jupytext.read(project_root / "notebooks" / f"{name}.py")
        nbformat.write(script, tmp_path / "notebooks" / f"{name}.ipynb")
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "metrics.json").write_text("{}")
    source = assemble(tmp_path, ["30_footage", "91_provenance"])
    assert {path.stem for path in (source / "notebooks").iterdir()} == {"30_footage", "91_provenance"}
    assert {path.name for path in (source / "results").iterdir()} == {"30_footage", "91_provenance"}
    assert yaml.safe_load((source / "_toc.yml").read_text())["root"] == "book/index_watch"
    assert yaml.safe_load((source / "_config.yml").read_text())["title"] == "What happened in front of the camera?"
    whole = assemble(tmp_path)
    for name in ("_toc.yml", "_config.yml"):
        assert yaml.safe_load((whole / name).read_text()) == yaml.safe_load((project_root / name).read_text())


def test_a_folder_that_cannot_be_scored_is_refused_before_anything_runs(tmp_path, project_root, monkeypatch):
    monkeypatch.chdir(project_root)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("something ran"))
    with pytest.raises(ParameterError, match="ROOT: profile folder needs the folder of your videos, .* PROFILE=folder"):
        build_book("folder")
    (tmp_path / "a").mkdir()
    with pytest.raises(LayoutError, match=r"no footage to fit on .*normal/"):
        build_book("folder", root=str(tmp_path))
