"""What makes a chapter run again, and what does not."""

import os

import pytest

from vadlib.report.changes import forget_lost, note, note_chapter, note_folder, run_if_changed
from vadlib.report.contents import NotebookCode, read_contents

FIRST = "notebooks/01_first.py"


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("It says", "It tells", False),
        ('"A line."', '"A thin line."', False),
        ("A line that goes up", "A line that goes down", False),
        ("# of the draw", "# of it", False),
        ("n_seen=1", "n_seen=2", True),
        ('"line", draw()', '"line", draw(2)', True),
        ('"A line."', 'f"A line of {seed}."', True),
        ("seed = 0", "seed = 1", True),
    ],
)
def test_prose_and_captions_are_no_change_of_a_chapter_and_code_is(small_book, edit, old, new, changes):
    def state():
        path = small_book / "state.json"
        note_chapter(path, NotebookCode(small_book / FIRST), {"chapters": {"01_first": {"seed": 2}}}, {})
        return path.read_text()

    before = state()
    edit(FIRST, old, new)
    assert (state() != before) is changes


def test_parameters_of_the_chapter_alone_are_noted(small_book):
    code, path = NotebookCode(small_book / FIRST), small_book / "state.json"
    note_chapter(path, code, {"seed": 1, "other": 1}, {})
    before = path.read_text()
    note_chapter(path, code, {"seed": 1, "other": 2, "chapters": {"02_second": {"seed": 5}}}, {})
    assert path.read_text() == before
    note_chapter(path, code, {"seed": 1}, {"seed": 2})
    assert path.read_text() != before


def test_a_note_keeps_its_time_until_it_changes(tmp_path):
    path = tmp_path / "a" / "note"
    note(path, "x")
    os.utime(path, (1, 1))
    note(path, "x")
    assert path.stat().st_mtime == 1
    note(path, "y")
    assert path.stat().st_mtime > 1


@pytest.fixture
def chapter(tmp_path):
    """A chapter's `done`, results, one input, and a run that writes what it is told."""
    (tmp_path / "input").write_text("1")
    results, ran = tmp_path / "results", []

    def run(value="1"):
        results.mkdir(exist_ok=True)
        ran.append(value)
        (results / "metrics.json").write_text(value)
        (results / "run.json").write_text(f"at {len(ran)}")

    def again(value="1"):
        return run_if_changed(tmp_path / "done" / "x", results, [str(tmp_path / "input")], lambda: run(value))

    return again, ran, tmp_path


def test_the_same_inputs_run_nothing_and_the_same_results_are_no_change(chapter):
    again, ran, folder = chapter
    assert again()
    done = (folder / "done" / "x").read_text()
    assert not again()
    assert ran == ["1"]
    (folder / "input").write_text("2")
    assert again()
    assert (folder / "done" / "x").read_text() == done  # so that what reads it has the same inputs
    (folder / "input").write_text("3")
    assert again("other")
    assert (folder / "done" / "x").read_text() != done


def test_a_run_that_failed_or_lost_its_results_runs_again(chapter):
    again, ran, folder = chapter
    again()
    (folder / "input").write_text("2")
    with pytest.raises(AttributeError):
        run_if_changed(folder / "done" / "x", folder / "results", [str(folder / "input")], lambda: None.x)
    (folder / "input").write_text("1")
    assert again()
    (folder / "results" / "run.json").unlink()
    assert again()
    assert len(ran) == 3


def test_marks_of_chapters_whose_results_are_gone_are_forgotten(small_book):
    out = small_book / "_build"
    for name in ("01_first", "02_second"):
        for path in (f"notebooks/{name}.ipynb", f"results/{name}/run.json", f"done/{name}", f"done/.{name}"):
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            (out / path).write_text("{}")
    forget_lost(out, read_contents())
    assert sorted(path.name for path in (out / "done").iterdir()) == [
        ".01_first",
        ".02_second",
        "01_first",
        "02_second",
    ]
    (out / "results/01_first/run.json").unlink()
    forget_lost(out, read_contents())
    assert sorted(path.name for path in (out / "done").iterdir()) == [".02_second", "02_second"]
    forget_lost(out, read_contents(), again=["02_second"])
    assert list((out / "done").iterdir()) == []


def folder_state(videos):
    path = videos.parent / "state"
    note_folder(path, videos)
    return path.read_text()


def test_a_folder_s_state_is_that_of_its_visible_files_and_links_end_nowhere(tmp_path, monkeypatch):
    videos = tmp_path / "videos"
    for name in ("a", "b", "c"):
        (videos / name).mkdir(parents=True)
        (videos / name / "clip.mp4").write_text(name)
    before = folder_state(videos)
    (videos / ".cache").mkdir()
    (videos / ".cache" / "thumbnail.jpg").write_text("hidden")
    (videos / "a" / "._clip.mp4").write_text("hidden")
    (videos / "gone.mp4").symlink_to(tmp_path / "nowhere")
    assert folder_state(videos) == before
    for name in ("a", "b", "c"):  # each leads to all, so paths multiply with every level
        for number in range(4):
            (videos / name / f"back{number}").symlink_to(videos)
    stats, stat = [], os.stat
    monkeypatch.setattr(os, "stat", lambda *args, **kwargs: stats.append(args) or stat(*args, **kwargs))
    linked = folder_state(videos)
    assert len(stats) < 100
    monkeypatch.undo()
    (videos / "d").symlink_to(videos / "a")
    assert folder_state(videos) != linked


def test_a_file_that_vanishes_while_it_is_looked_at_is_no_error(tmp_path, monkeypatch):
    videos, stat = tmp_path / "videos", os.stat
    videos.mkdir()
    (videos / "a.mp4").write_text("a")
    without = folder_state(videos)
    (videos / "b.mp4").write_text("b")

    def vanished(path, **kwargs):
        if str(path).endswith("b.mp4"):
            raise FileNotFoundError(path)
        return stat(path, **kwargs)

    monkeypatch.setattr(os, "stat", vanished)
    assert folder_state(videos) == without
