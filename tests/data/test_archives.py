import bz2
import gzip
import io
import lzma
import random
import shutil
import stat
import tarfile
import zipfile
from collections import namedtuple

import pytest

from vadlib.data.published import archives
from vadlib.data.published.archives import unpack
from vadlib.errors import FetchError

CONTENT = {"set/a/01.avi": b"film" * 1000, "set/a/empty": b"", "set/b c/größe.npy": bytes([1]) * 3000}
KINDS = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


def tar_bytes(members, kind="tar.gz"):
    """`members`: TarInfo or (name, content)."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as file:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                file.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            file.addfile(info, io.BytesIO(member[1]))
    pack = {"tar": bytes, "tar.gz": gzip.compress, "tar.bz2": bz2.compress, "tar.xz": lzma.compress}[kind]
    return pack(plain.getvalue())


def zip_bytes(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def pack(kind, members=None):
    members = CONTENT.items() if members is None else members
    return zip_bytes(members) if kind == "zip" else tar_bytes(members, kind)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "deep" / "out"


@pytest.fixture
def write(tmp_path):
    def write(content, name="x.archive"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def refuse(archive, out, message):
    """The archive is refused, and nothing is written, in the folder or beside it."""
    around = sorted(path.relative_to(archive.parent) for path in archive.parent.rglob("*") if out not in path.parents)
    with pytest.raises(FetchError, match=message):
        unpack(archive, out, progress=False)
    assert list(out.iterdir()) == []
    after = {path.relative_to(archive.parent) for path in archive.parent.rglob("*") if out not in path.parents}
    assert after - set(around) <= {out.relative_to(archive.parent), out.parent.relative_to(archive.parent)}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind(write, out, kind):
    unpacked = unpack(write(pack(kind)), out, progress=False)
    assert unpacked == out / "set"
    found = {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert found == CONTENT


def test_folders_and_names_that_go_in_circles(write, out):
    members = [link("set/empty/", "", tarfile.DIRTYPE), ("./set/./a", b"1"), ("set//b", b"2")]
    assert unpack(write(tar_bytes(members)), out, progress=False) == out / "set"
    assert sorted(path.name for path in (out / "set").iterdir()) == ["a", "b", "empty"]
    assert (out / "set/empty").is_dir()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "set/../../evil", "..\\evil", "C:\\evil", "set/..", "\\\\host\\evil"]
)
def test_paths_that_escape(write, out, kind, name):
    refuse(write(pack(kind, [("set/a", b"1"), (name, b"evil")])), out, "would be written outside its folder")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_links_and_devices(write, out, kind):
    refuse(write(tar_bytes([link("set", "/etc", kind), ("set/a", b"evil")])), out, "'set' is a link, a device")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_in_zip_files(write, out, kind):
    info = zipfile.ZipInfo("set")
    info.external_attr = (kind | 0o777) << 16
    refuse(write(zip_bytes([(info, "/etc"), ("set/a", b"evil")])), out, "'set' is a link, a device")


def test_a_file_where_a_folder_should_be(write, out):
    refuse(write(tar_bytes([("set", b"1"), ("set/a", b"2")])), out, "cannot be unpacked into")


def test_nothing_is_replaced(write, out):
    (out / "set").mkdir(parents=True)
    (out / "set/mine").write_text("mine")
    with pytest.raises(FetchError, match="set is there already, and is not replaced"):
        unpack(write(pack("zip")), out, progress=False)
    assert [path.name for path in out.rglob("*")] == ["set", "mine"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_truncation_is_found(write, out, kind):
    content = pack(kind)
    rng = random.Random(0)
    for n_bytes in sorted({0, 1, 7, 511, 512, len(content) - 1, *(rng.randrange(len(content)) for _ in range(25))}):
        if n_bytes < len(content.rstrip(b"\0") if kind == "tar" else content):  # behind that, a tar is padded
            refuse(write(content[:n_bytes]), out, "is damaged, or no archive")


@pytest.mark.parametrize("kind", KINDS)
def test_damage_never_writes_outside(write, out, kind):
    content = pack(kind)
    rng = random.Random(2)
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 3))):
            damaged[rng.randrange(len(content))] = rng.randrange(256)
        archive = write(bytes(damaged))
        try:
            unpack(archive, out, progress=False)
        except FetchError:
            assert list(out.iterdir()) == []
        assert {path.name for path in archive.parent.iterdir()} == {"x.archive", "deep"}
        shutil.rmtree(out)


def test_what_is_no_archive(write, out):
    refuse(write(b"<html>Not found</html>" * 100), out, "is damaged, or no archive")
    refuse(write(zip_bytes([])), out, "is empty")


def test_encrypted(write, out):
    content = bytearray(zip_bytes([("set/a", b"secret")]))
    for magic, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(magic) + offset] |= 1
    refuse(write(bytes(content)), out, "encrypted")


def test_sizes_that_are_lies(write, out):
    content = bytearray(zip_bytes([("set/a", b"1" * 5000)]))
    at = content.index(b"PK\1\2") + 24
    content[at : at + 4] = (100).to_bytes(4, "little")
    refuse(write(bytes(content)), out, "damaged")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_more_than_the_disk_has_room_for(write, out, monkeypatch, kind):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, archives.SPARE_BYTES + 2000))
    refuse(write(pack(kind)), out, r"bytes are to be unpacked, and .* are free. Make room")


def test_headers_that_claim_gigabytes(write, out):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**33
    refuse(
        write(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(20_000))), out, "claims to have 8,589,934,592 bytes"
    )


def test_a_dictionary_of_more_memory_than_there_is(write, out, monkeypatch):
    def no_memory(*_, **__):
        raise MemoryError

    archive = write(pack("tar.xz"))
    monkeypatch.setattr(lzma.LZMAFile, "read", no_memory)
    refuse(archive, out, "is damaged, or no archive: MemoryError")


def test_a_header_damaged_in_the_middle_is_not_the_end(write, out):
    content = bytearray(gzip.decompress(tar_bytes([("set/a", b"1"), ("set/b", b"2")])))
    content[1024 + 10] ^= 1  # the second header's name, so that its checksum is wrong
    refuse(write(gzip.compress(bytes(content))), out, "a header in it is damaged")
