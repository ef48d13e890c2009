import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from vadlib.data.reading import pictures
from vadlib.data.reading.pictures import header_size, picture_size, read_image, read_mask
from vadlib.errors import UnreadableError

SUFFIXES = (".jpg", ".png", ".tif", ".bmp")


def encode(suffix: str, height: int = 24, width: int = 40, *options: int) -> bytes:
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return cv2.imencode(suffix, picture, options)[1].tobytes()


def with_size(suffix: str, height: int, width: int) -> bytes:
    """A small picture whose header lies about its size."""
    content = bytearray(encode(suffix, 16, 16))
    if suffix == ".jpg":
        start = content.index(b"\xff\xc0")
        content[start + 5 : start + 9] = struct.pack(">HH", height, width)
    elif suffix == ".bmp":
        content[18:26] = struct.pack("<ii", width, height)
    elif suffix == ".png":
        header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
        content[12:33] = header + struct.pack(">I", zlib.crc32(header))
    else:
        (start,) = struct.unpack_from("<I", content, 4)
        (n_entries,) = struct.unpack_from("<H", content, start)
        for entry in range(start + 2, start + 2 + 12 * n_entries, 12):
            value = {256: width, 257: height, 278: height}.get(*struct.unpack_from("<H", content, entry))
            if value is not None:
                content[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, value)
    return bytes(content)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("size", [(24, 40), (1, 1), (1, 300), (257, 3)])
def test_header_size_is_that_of_the_decoded_picture(suffix, size):
    content = encode(suffix, *size)
    assert header_size(content) == size == cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR).shape[:2]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_beginning_of_a_picture_is_an_error(tmp_path, suffix):
    content, path = encode(suffix, 12, 10), tmp_path / f"frame7{suffix}"
    for length in range(0, len(content) - 2, 3):
        path.write_bytes(content[:length])
        with pytest.raises(UnreadableError, match="frame7"):
            read_image(path)


def test_a_header_that_promises_gigabytes_allocates_nothing(tmp_path, project_root):
    """Within 200 MB in all: OpenCV alone takes 5.9 GB for the JPEG."""
    for suffix in SUFFIXES:
        (tmp_path / f"lie{suffix}").write_bytes(with_size(suffix, 8192, 8192))
        assert header_size((tmp_path / f"lie{suffix}").read_bytes()) == (8192, 8192)
    code = (
        "import resource, sys, pathlib\nfrom vadlib.data.reading.pictures import read_image\n"
        "from vadlib.errors import UnreadableError\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    try:\n        read_image(path)\n    except UnreadableError as error:\n        print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=project_root, capture_output=True, text=True, check=True
    )
    *messages, growth_kib = done.stdout.splitlines()
    for message, suffix in zip(messages, sorted(SUFFIXES), strict=True):
        assert f"lie{suffix}: its header gives 8192 x 8192 pixels" in message
    assert int(growth_kib) < 200 * 1024


def test_the_largest_picture_is_read(tmp_path, monkeypatch):
    path = tmp_path / "1.png"
    path.write_bytes(encode(".png", 24, 40))
    monkeypatch.setattr(pictures, "MAX_PIXELS", 24 * 40)
    assert read_image(path).shape == (24, 40, 3)
    monkeypatch.setattr(pictures, "MAX_PIXELS", 24 * 40 - 1)
    with pytest.raises(UnreadableError, match=r"1\.png: its header gives 24 x 40 pixels .*at most 959"):
        read_image(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_colour_all_over_is_no_lie(tmp_path, suffix, monkeypatch):
    """What a file of one colour needs least of is bytes; still it is read at any size."""
    monkeypatch.setattr(pictures, "SMALL_PIXELS", 0)
    path = tmp_path / f"1{suffix}"
    assert cv2.imwrite(str(path), np.full((1500, 2000, 3), 77, np.uint8))
    assert read_image(path).shape == (1500, 2000, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_picture_that_asks_to_be_turned(tmp_path, suffix, orientation):
    """Neighbours of one size when stored may be of two when shown."""
    plain, turned = tmp_path / f"1{suffix}", tmp_path / f"2{suffix}"
    for path, value in ((plain, 1), (turned, orientation)):
        picture = Image.fromarray(np.zeros((24, 40, 3), np.uint8))
        exif = picture.getexif()
        exif[274] = value
        picture.save(path, exif=exif)
    shown = (24, 40) if orientation < 5 else (40, 24)
    assert picture_size(turned) == shown == read_image(turned).shape[:2]
    if shown == (24, 40):
        read_image(turned, like=(plain, picture_size(plain)))
    else:
        with pytest.raises(UnreadableError, match="is 40 x 24 pixels .* beside it 24 x 40"):
            read_image(turned, like=(plain, picture_size(plain)))


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "1.jpg"
    path.write_bytes(encode(".jpg"))
    os.truncate(path, 2**40)  # sparse: takes no room
    with pytest.raises(UnreadableError, match=r"1\.jpg has 1,099,511,627,776 bytes; pictures have at most"):
        read_image(path)


@pytest.mark.parametrize("read", [read_image, read_mask, picture_size])
def test_what_is_no_file(tmp_path, read):
    os.mkfifo(tmp_path / "1.jpg")  # reading it would wait for ever
    (tmp_path / "2.jpg").symlink_to("/dev/zero")  # and this would never end
    (tmp_path / "3.jpg").mkdir()
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        with pytest.raises(UnreadableError, match=f"{name} is no file, but a folder, pipe or device"):
            read(tmp_path / name)
    (tmp_path / "4.jpg").symlink_to("4.jpg")
    with pytest.raises(UnreadableError, match=r"4\.jpg cannot be read"):
        read(tmp_path / "4.jpg")
    with pytest.raises(UnreadableError, match=r"5\.jpg does not exist"):
        read(tmp_path / "5.jpg")


def test_a_name_that_is_no_text(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff1.jpg")
    path.write_bytes(encode(".jpg"))
    with pytest.raises(UnreadableError, match=r"\\udcff1\.jpg: the name is not text in UTF-8. Rename it") as caught:
        read_image(path)
    str(caught.value).encode()  # the message can be printed


@pytest.mark.parametrize("suffix", [".webp", ".ppm"])
def test_other_formats_under_a_known_ending(tmp_path, suffix):
    path = tmp_path / "1.jpg"
    path.write_bytes(encode(suffix))
    with pytest.raises(UnreadableError, match=r"1\.jpg is no picture, .*JPEG, PNG, TIFF and BMP are read"):
        read_image(path)
