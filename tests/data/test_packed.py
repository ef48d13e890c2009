"""What lies packed in a folder; the commands that the sentences name are run."""

import io
import random
import re
import shlex
import subprocess
import tarfile
import zipfile

import pytest

from vadlib.data.published.check import check_datasets, guess_names
from vadlib.data.published.fetch import fetch
from vadlib.data.published.packed import advice, looks_like_a_page
from vadlib.errors import FetchError, LayoutError


def tar_of(folder, name):
    """A .tar.gz of a folder, as bytes."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        archive.add(folder, name)
    return content.getvalue()


def split(folder, whole, content, n_parts, endings=("aa", "ab", "ac", "ad", "ae", "af", "ag", "ah")):
    """As `split -b` writes it: parts of one size, and a smaller one."""
    size = len(content) // n_parts + 1
    for number in range(n_parts):
        (folder / f"{whole}.{endings[number]}").write_bytes(content[number * size : (number + 1) * size])


def run_commands(sentences, folder):
    """Run whatever stands between backquotes, in order."""
    commands = re.findall("`([^`]*)`", " ".join(sentences))
    for command in commands:
        subprocess.run(command, shell=True, cwd=folder, check=True, capture_output=True)
    return commands


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A folder laid out as ShanghaiTech is; what its files hold does not matter here."""
    folder = tmp_path_factory.mktemp("tree") / "shanghaitech"
    noise = random.Random(0)
    for name in ("training/videos/01_001.avi", "testing/frames/01_0014/000.jpg", "testing/test_frame_mask/01_0014.npy"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(noise.randbytes(5_000))
    return folder


@pytest.fixture(scope="module")
def archive(tree):
    return tar_of(tree, "shanghaitech")


class TestParts:
    def test_the_commands_that_are_named_make_a_data_set_of_them(self, archive, tmp_path):
        split(tmp_path, "shanghaitech.tar.gz", archive, 7)
        for root in (tmp_path, tmp_path / "shanghaitech.tar.gz.ac"):
            with pytest.raises(LayoutError, match=r"7 part\(s\) of shanghaitech\.tar\.gz are there\. Join them in "):
                guess_names(root)
        with pytest.raises(LayoutError, match=r"7 part\(s\) of shanghaitech\.tar\.gz are there\. Join them in "):
            check_datasets(tmp_path, "shanghaitech")
        commands = run_commands(advice(tmp_path), tmp_path)
        assert commands[0] == "cat shanghaitech.tar.gz.* > shanghaitech.tar.gz"
        assert guess_names(tmp_path) == ["shanghaitech"]
        assert (tmp_path / "shanghaitech.tar.gz").read_bytes() == archive
        assert not any("part(s)" in said for said in advice(tmp_path)), "they are joined"

    @pytest.mark.parametrize("first", [0, 1])
    def test_a_missing_last_one_is_named_where_they_are_numbered(self, archive, tmp_path, first):
        endings = [f"{first + number:03d}" for number in range(7)]
        split(tmp_path, "shanghaitech.tar.gz", archive, 7, endings)
        assert "7 part(s) of shanghaitech.tar.gz are there. Join them" in advice(tmp_path)[0]
        (tmp_path / f"shanghaitech.tar.gz.{endings[-1]}").unlink()
        (said,) = advice(tmp_path)
        assert f"6 part(s) of shanghaitech.tar.gz are there, but not shanghaitech.tar.gz.{endings[-1]}. " in said

    def test_one_that_ended_early_is_named(self, archive, tmp_path):
        split(tmp_path, "shanghaitech.tar.gz", archive, 7)
        part = tmp_path / "shanghaitech.tar.gz.ac"
        part.write_bytes(part.read_bytes()[:-5])
        (said,) = advice(tmp_path)
        assert "shanghaitech.tar.gz.ac ended early: smaller than the others. Get what ended early again." in said

    def test_one_that_is_still_coming(self, archive, tmp_path):
        split(tmp_path, "shanghaitech.tar.gz", archive, 7)
        part = tmp_path / "shanghaitech.tar.gz.ac"
        part.rename(tmp_path / "shanghaitech.tar.gz.ac.crdownload")
        missing, coming = advice(tmp_path)
        assert "but not shanghaitech.tar.gz.ac." in missing
        assert coming == (
            "shanghaitech.tar.gz.ac.crdownload is a download that has not ended: let it end, or start it again."
        )

    @pytest.mark.parametrize("endings", [("001", "002", "003"), ("00", "01", "02")])
    def test_numbers_and_names_that_a_shell_would_read(self, archive, tmp_path, endings):
        split(tmp_path, "it's a copy.tar.gz", archive, 3, endings)
        (tmp_path / "it's a copy.tar.gz.sha256").write_text("0")  # a pattern would take it in
        run_commands(advice(tmp_path), tmp_path)
        assert guess_names(tmp_path) == ["shanghaitech"]

    def test_fetch_leads_to_them_and_names_them_rather_than_fetching(self, archive, tmp_path, monkeypatch):
        def gone(url, *_, **__):
            raise FetchError(f"{url}: timed out, 5 times in a row.")

        monkeypatch.setattr("vadlib.data.published.fetch.download", gone)
        with pytest.raises(FetchError, match=r"passed around in 7 parts, too: put them beside it, and run this again"):
            fetch("shanghaitech", tmp_path, progress=False)
        split(tmp_path, "shanghaitech.tar.gz", archive, 7)
        with pytest.raises(FetchError, match=r"has shanghaitech\.tar\.gz in parts: 7 part\(s\).* Or move them away"):
            fetch("shanghaitech", tmp_path, progress=False)
        run_commands(advice(tmp_path), tmp_path)
        assert guess_names(tmp_path) == ["shanghaitech"]


class TestArchives:
    @pytest.mark.parametrize("name", ["shanghaitech.tar.gz", "my copy.tgz"])
    def test_the_command_that_is_named_unpacks_it(self, archive, tmp_path, name):
        (tmp_path / name).write_bytes(archive)
        with pytest.raises(LayoutError, match=rf"{name} is not unpacked yet: `tar -xf "):
            guess_names(tmp_path)
        command = re.findall("`([^`]*)`", advice(tmp_path)[0])[0]
        subprocess.run(command, shell=True, cwd=tmp_path, check=True)
        assert guess_names(tmp_path) == ["shanghaitech"]

    def test_a_published_one_and_what_belongs_to_it(self, tmp_path):
        for name in ("Avenue_Dataset.zip", "UCSD_Anomaly_Dataset.tar.gz"):
            with zipfile.ZipFile(tmp_path / name, "w") as opened:
                opened.writestr("x", "x")
        avenue, ucsd = advice(tmp_path)
        place = shlex.quote(str(tmp_path))
        assert (
            f"`vadlib data fetch avenue --to {place}`, which checks it, too, and gets ground_truth_demo.zip" in avenue
        )
        assert ucsd.endswith(f"`vadlib data fetch ucsd --to {place}`, which checks it, too.")

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "is empty. Get it again."),
            (b"\n <!DOCTYPE html><html>Sign in</html>", "is a web page, not an archive: its link leads to a page"),
            (b"\0" * 600, "does not begin as an archive does: it is damaged, or another file. Get it again."),
        ],
    )
    def test_what_is_none(self, tmp_path, content, said):
        (tmp_path / "shanghaitech.tar.gz").write_bytes(content)
        assert said in advice(tmp_path)[0]
        with pytest.raises(LayoutError, match=re.escape(said)):
            guess_names(tmp_path / "shanghaitech.tar.gz")
        split(tmp_path, "other.tar.gz", content or b"", 1)
        if content:
            assert (
                f"1 part(s) of other.tar.gz are there, but other.tar.gz.aa {said.split(':')[0]}" in advice(tmp_path)[0]
            )

    def test_what_is_no_archive_is_not_spoken_of(self, tmp_path):
        for name in ("film.mp4", "film.mp4.001", "notes.txt", "x.tar.gz.asc", ".hidden.zip", "labels.csv.part"):
            (tmp_path / name).write_text("x")
        assert advice(tmp_path) == []


def test_pages_and_archives_are_told_apart():
    assert looks_like_a_page(b"\xef\xbb\xbf<html>")
    assert looks_like_a_page(b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>")
    assert not looks_like_a_page(b"\x1f\x8b\x08\x00")
    assert not looks_like_a_page(b"PK\3\4<html>")
