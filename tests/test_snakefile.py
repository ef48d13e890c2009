"""What runs again when something changes: Snakemake's own plan, on a copy of the project with nothing to compute."""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from snakemake.cli import parse_config

from vadlib.report.workflow import snakemake_command

DETECTORS = {"02_padim", "03_gradcam_ssim", "04_clip_prototypes"}
CHAPTERS = {path.stem for path in (Path(__file__).parents[1] / "notebooks").glob("*.py")}
LAST = {"91_provenance", "90_recorded", "book"}  # the run table, and which record is stale, tell of every notebook


@pytest.fixture(scope="module")
def finished(project_root, tmp_path_factory):
    """A copy of the project in which every output of the demo is there and newer than what it is made from."""
    root = tmp_path_factory.mktemp("project")
    for name in ("book", "notebooks", "vadlib", "synthcampus"):
        shutil.copytree(project_root / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "_config.yml", "_toc.yml", "pyproject.toml"):
        shutil.copy(project_root / name, root)
    recorded = root / "book" / "recorded" / "demo-02_padim" / "run.json"
    recorded.parent.mkdir(parents=True, exist_ok=True)
    recorded.write_text("{}")
    past = time.time() - 3600
    for path in root.rglob("*"):
        os.utime(path, (past, past))
    out = root / "_build" / "demo"
    for path in ("data/world.json", *(f"notebooks/{name}.ipynb" for name in sorted(CHAPTERS)), "html/index.html"):
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text("{}")
    for name in CHAPTERS:
        (out / "results" / name).mkdir(parents=True)
        (out / "results" / name / "run.json").write_text("{}")
    done = snakemake(root, "--touch")
    assert done.returncode == 0, done.stderr
    return root


def snakemake(root, *arguments, config=("profile=demo",)):
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--nolock", "--config", *config]
    return subprocess.run([*command, *arguments], cwd=root, capture_output=True, text=True, check=False)


def planned(root, **options):
    """Chapters and other rules that would run now."""
    done = snakemake(root, "--dry-run", **options)
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    rules = set(re.findall(r"^(?:local)?rule (\w+):", text, re.MULTILINE))
    return set(re.findall(r"name=(\w+)", text)) | (rules - {"notebook"})


def touch(path):
    path.write_text(path.read_text() + "\n")
    future = time.time() + 5
    os.utime(path, (future, future))


def test_nothing_changed_nothing_runs(finished):
    assert planned(finished) == set()


@pytest.mark.parametrize(
    ("changed", "runs"),
    [
        ("book/rebuild.md", {"book"}),
        ("book/recorded/demo-02_padim/run.json", {"23_protocols", "25_choices"} | LAST),
        ("vadlib/report/records/recording.py", set()),
        ("vadlib/report/machine_paths.py", {"book"}),
        ("notebooks/91_provenance.py", LAST),
        ("notebooks/02_padim.py", {"02_padim", "21_claims", "26_limits", "23_protocols"} | LAST),
        ("notebooks/01_dataset.py", {"01_dataset", "21_claims"} | LAST),
        ("book/paper_values.yml", CHAPTERS | {"book"}),
        ("vadlib/detectors/padim.py", CHAPTERS | {"book"}),
        ("synthcampus/render.py", CHAPTERS | {"world", "book"}),
        ("notebooks/profiles/demo.yml", CHAPTERS | {"book"}),
    ],
)
def test_a_change_runs_what_depends_on_it_and_no_more(finished, changed, runs):
    path = finished / changed
    before, times = path.read_text(), path.stat()
    try:
        touch(path)
        assert planned(finished) == runs
    finally:
        path.write_text(before)
        os.utime(path, (times.st_atime, times.st_mtime))


def test_a_profile_names_its_chapters_and_a_new_video_of_ones_own_runs_them_again(finished, tmp_path):
    videos, config = tmp_path / "videos", ("profile=folder", f"dataset_root={tmp_path / 'videos'}")
    videos.mkdir()
    (videos / "a.mp4").write_text("a")
    chapters = {"30_footage", "91_provenance"}
    assert planned(finished, config=config) == chapters | {"book"}
    out = finished / "_build" / "folder"
    for name in chapters:
        (out / "notebooks").mkdir(parents=True, exist_ok=True)
        (out / "notebooks" / f"{name}.ipynb").write_text("{}")
        (out / "results" / name).mkdir(parents=True)
    (out / "html").mkdir()
    (out / "html" / "index.html").write_text("{}")
    assert snakemake(finished, "--touch", config=config).returncode == 0
    assert planned(finished, config=config) == set()
    (videos / ".DS_Store").write_text("what a file manager leaves")
    assert planned(finished, config=config) == set()
    (videos / "b.mp4").write_text("b")
    assert planned(finished, config=config) == chapters | {"book"}


@pytest.fixture
def note_folder_state(project_root, tmp_path):
    """The Snakefile's own function, writing to a folder of the test."""
    text = (project_root / "Snakefile").read_text()
    names = {"os": os, "hashlib": hashlib, "Path": Path, "OUT": str(tmp_path / "out")}
    exec(re.search(r"^def note_folder_state.*?(?=^\S*[A-Z_]+ =)", text, re.DOTALL | re.MULTILINE)[0], names)
    return lambda folder: Path(names["note_folder_state"](folder)[0]).read_text()


def test_a_folder_s_state_is_that_of_its_visible_files_and_links_end_nowhere(note_folder_state, tmp_path, monkeypatch):
    videos = tmp_path / "videos"
    for name in ("a", "b", "c"):
        (videos / name).mkdir(parents=True)
        (videos / name / "clip.mp4").write_text(name)
    before = note_folder_state(videos)
    (videos / ".cache").mkdir()
    (videos / ".cache" / "thumbnail.jpg").write_text("hidden")
    (videos / "a" / "._clip.mp4").write_text("hidden")
    (videos / "gone.mp4").symlink_to(tmp_path / "nowhere")
    assert note_folder_state(videos) == before
    for name in ("a", "b", "c"):  # each leads to all, so paths multiply with every level
        for number in range(4):
            (videos / name / f"back{number}").symlink_to(videos)
    stats, stat = [], os.stat
    monkeypatch.setattr(os, "stat", lambda *args, **kwargs: stats.append(args) or stat(*args, **kwargs))
    linked = note_folder_state(videos)
    assert len(stats) < 100
    monkeypatch.undo()
    (videos / "d").symlink_to(videos / "a")
    assert note_folder_state(videos) != linked


def test_a_file_that_vanishes_while_it_is_looked_at_is_no_error(note_folder_state, tmp_path, monkeypatch):
    videos, stat, exists = tmp_path / "videos", os.stat, os.path.exists
    videos.mkdir()
    (videos / "a.mp4").write_text("a")
    without = note_folder_state(videos)
    (videos / "b.mp4").write_text("b")

    def vanished(path, **kwargs):
        if str(path).endswith("b.mp4"):
            raise FileNotFoundError(path)
        return stat(path, **kwargs)

    monkeypatch.setattr(os, "stat", vanished)
    monkeypatch.setattr(os.path, "exists", lambda path: str(path).endswith("b.mp4") or exists(path))
    found = note_folder_state(videos)
    monkeypatch.undo()
    assert found == without


@pytest.mark.parametrize(
    "name", ["my #1 cam", "cam: gate", "[a]", "{x}", "a\"b'c\\", "12", "é 🎥", "yes", "- a", "t\tn\n"]
)
def test_names_reach_snakemake_as_they_are(name):
    values = {"profile": "folder", "dataset_root": f"/data/{name}", "weights": name}
    command = snakemake_command(Path("/project"), values, "1")
    assert parse_config(command[command.index("--config") + 1 :]) == values


def test_a_folder_with_braces_and_colons_in_its_name_can_be_planned(finished, tmp_path):
    videos = tmp_path / "cam: {gate} #1"
    videos.mkdir()
    (videos / "a.mp4").write_text("a")
    command = snakemake_command(finished, {"profile": "folder", "dataset_root": str(videos)}, "1")
    done = snakemake(finished, "--dry-run", "--printshellcmds", config=command[command.index("--config") + 1 :])
    assert done.returncode == 0, done.stderr
    assert f"'dataset_root={videos}'" in done.stdout + done.stderr


def test_chapters_that_are_none_or_lack_what_they_read_are_named(finished):
    path = finished / "notebooks" / "profiles" / "wrong.yml"
    path.write_text((finished / "notebooks/profiles/demo.yml").read_text() + "chapters: [21_claims, 12_absent]\n")
    try:
        done = snakemake(finished, "--dry-run", config=("profile=wrong",))
    finally:
        path.unlink()
    assert done.returncode != 0
    expected = "01_dataset, 02_padim, 03_gradcam_ssim, 04_clip_prototypes, 12_absent, 22_labels_alone is no notebook"
    assert expected in done.stdout + done.stderr


def test_every_result_that_a_notebook_reads_is_declared(project_root):
    text = (project_root / "Snakefile").read_text()
    upstream = ast.literal_eval(re.search(r"UPSTREAM = (\{.*?\n\})", text, re.DOTALL)[1])
    upstream["91_provenance"] = list(upstream)
    assert set(upstream) == CHAPTERS
    for name, declared in upstream.items():
        source = (project_root / "notebooks" / f"{name}.py").read_text()
        read = {other for other in CHAPTERS - {name} if f'"{other}"' in source}
        assert read == set(declared), name


@pytest.mark.parametrize(
    ("given", "passed"), [([], False), (["SKIP_UNREADABLE=0"], False), (["SKIP_UNREADABLE=1"], True)]
)
def test_make_passes_on_that_unreadable_frames_be_left_out(project_root, given, passed):
    command = ["make", "--dry-run", "--assume-old=.venv/.installed", "book", *given]
    done = subprocess.run(command, cwd=project_root, capture_output=True, text=True, check=True)
    assert ("--skip-unreadable" in done.stdout) is passed
    assert (
        "SKIP_UNREADABLE=1" in subprocess.run(["make", "help"], cwd=project_root, capture_output=True, text=True).stdout
    )


def test_pages_say_that_one_model_serves_all_cameras_and_how_to_leave_frames_out(project_root):
    for page in ("notebooks/30_footage.py", "book/rebuild.md", "README.md"):
        text = " ".join((project_root / page).read_text().replace("\n# ", " ").split())
        assert "One model and one threshold serve" in text, page
    for page in ("book/rebuild.md", "README.md"):
        assert "SKIP_UNREADABLE=1" in (project_root / page).read_text(), page
