"""What `test_fuzz.py` works with: small data sets of each layout, a second reader for each, and ways to damage them.

A layout is a line in `LAYOUTS`: how to write it, how to open it, and a reference that says in plain steps, without
vadlib, what must come out. A mutation is a function ``(rng, root) -> touched paths``, or None where it does not apply.
"""

from __future__ import annotations

import contextlib
import csv
import os
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from vadlib.data import VideoDataset, open_dataset
from vadlib.data.layouts.folder import open_videos

HEIGHT, WIDTH = 12, 16
PICTURES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp")
FILMS = (".avi", ".mp4", ".mov", ".mkv", ".m4v", ".webm")
HOSTILE_NAMES = (
    "a b", "später", "日本語", "a'b", 'a"b', "a\nb", "a`b$(c)", "-rf", "%d%s{0}", "a;b&c|d", "..x", "CON", "a\\b", "x" * 200,
    os.fsdecode(b"\xff\xfe"), "\u202egpj", "e\u0301",
)  # fmt: skip


# ---------------------------------------------------------------------------------------------------- writing


def noise(rng, *shape) -> np.ndarray:
    return rng.integers(0, 256, shape, dtype=np.uint8)


def write_frames(folder: Path, n_frames: int, rng, name: str, start: int = 0) -> None:
    folder.mkdir(parents=True)
    for frame in range(n_frames):
        assert cv2.imwrite(str(folder / name.format(frame + start)), noise(rng, HEIGHT, WIDTH, 3))


def write_film(path: Path, n_frames: int, rng, size=(HEIGHT, WIDTH), fps: float = 25) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    codec = cv2.VideoWriter_fourcc(*("mp4v" if path.suffix in (".mp4", ".mov") else "MJPG"))
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, codec, fps, size[::-1])
    assert writer.isOpened()
    for _ in range(n_frames):
        writer.write(cv2.resize(noise(rng, 3, 4, 3), size[::-1]))
    writer.release()


def write_array(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def write_test_labels(root: Path, rng) -> None:
    for number, (clip_id, n_frames) in enumerate({"01_0014": 6, "02_0001": 5}.items()):
        labels = (np.arange(n_frames) % 3 == 1).astype(np.uint8)
        masks = (rng.random((n_frames, HEIGHT, WIDTH)) < 0.3).astype(np.uint8) * labels[:, None, None]
        write_array(root / f"testing/test_frame_mask/{clip_id}.npy", labels)
        write_array(root / f"testing/test_pixel_mask/{clip_id}.npy", masks.transpose((1, 2, 0)) if number else masks)


def write_shanghaitech_frames(root: Path, rng) -> None:
    for clip_id, n_frames in {"01_001": 4, "02_001": 3}.items():
        write_frames(root / f"training/frames/{clip_id}", n_frames, rng, "{}.jpg", 1)
    for clip_id, n_frames in {"01_0014": 6, "02_0001": 5}.items():
        write_frames(root / f"testing/frames/{clip_id}", n_frames, rng, "{:03d}.jpg")
    write_test_labels(root, rng)


def write_shanghaitech_films(root: Path, rng) -> None:
    for clip_id, n_frames in {"01_001": 4, "02_001": 3}.items():
        write_film(root / f"training/videos/{clip_id}.avi", n_frames, rng)
    for clip_id, n_frames in {"01_0014": 6, "02_0001": 5}.items():
        write_film(root / f"testing/videos/{clip_id}.avi", n_frames, rng)
    write_test_labels(root, rng)


def write_synthcampus(root: Path, rng) -> None:
    write_film(root / "training/videos/01_001.avi", 4, rng)
    for clip_id, n_frames in {"01_0014": 6, "02_0001": 5}.items():
        write_frames(root / f"testing/frames/{clip_id}", n_frames, rng, "{:03d}.jpg")
    write_test_labels(root, rng)
    (root / "events.csv").write_text("clip,first,last,event\n01_0014,1,1,bicycle\n02_0001,4,4,running\n")


def write_ucsd(root: Path, rng) -> None:
    write_frames(root / "Train/Train001", 3, rng, "{:03d}.tif", 1)
    for number, n_frames in enumerate((5, 6), start=1):
        write_frames(root / f"Test/Test{number:03d}", n_frames, rng, "{:03d}.tif", 1)
    (root / "Test/Test001_gt").mkdir()
    for frame in range(5):
        mask = np.where(noise(rng, HEIGHT, WIDTH) < 50, 255, 0).astype(np.uint8)
        assert cv2.imwrite(str(root / f"Test/Test001_gt/{frame + 1:03d}.bmp"), mask)
    lines = [
        "TestVideoFile = {};",
        "TestVideoFile{end+1}.gt_frame = [2:3];",
        "TestVideoFile{end+1}.gt_frame = [1, 4:6];",
    ]
    (root / "Test/UCSDped2.m").write_text("\r\n".join(lines))


def write_videos(root: Path, rng) -> None:
    for name in ("a.avi", "b.mp4", "c.mkv"):
        write_film(root / name, 4, rng)
    write_frames(root / "d", 3, rng, "frame{}.png", 7)


# ---------------------------------------------------------------------------------------------------- reference


class Expected(NamedTuple):
    """One clip, as the reference sees it."""

    split: str
    path: Path
    labels: list[int] | None  # None: no labels, and whatever opens it must say so


class Unreadable(Exception):
    """The reference makes nothing of it, so vadlib must not either."""


def listed(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [p for p in sorted(folder.iterdir()) if p.name[0] != "." and p.name[-1] != "~" and p.name != "Thumbs.db"]


def reference_pictures(folder: Path) -> list[Path]:
    """In the order of the last number in their names; these must follow on one another."""
    found = {}
    for path in listed(folder):
        if path.suffix.lower() in PICTURES:
            numbers = re.findall(r"\d+", path.stem)
            if not numbers or int(numbers[-1]) in found:
                raise Unreadable(path)
            found[int(numbers[-1])] = path
    order = sorted(found)
    if any(b - a != 1 for a, b in pairwise(order)):
        raise Unreadable(folder)
    return [found[number] for number in order]


def reference_image(path: Path, flag: int = cv2.IMREAD_COLOR) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), flag)
    if image is None:
        raise Unreadable(path)
    return image[..., ::-1] if flag == cv2.IMREAD_COLOR else image


def reference_frames(path: Path) -> list[np.ndarray]:
    """Every frame of a clip, RGB."""
    if path.is_dir():
        return [reference_image(picture) for picture in reference_pictures(path)]
    frames = []
    with av.open(str(path)) as container:
        if container.streams.video[0].codec_context.codec.intra_only:  # damaged pictures are errors
            container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        for packet in container.demux(video=0):
            with contextlib.suppress(av.FFmpegError):  # decoders go on behind damage
                frames += [frame.to_ndarray(format="rgb24") for frame in packet.decode()]
    return frames


def reference_array(path: Path) -> np.ndarray:
    try:
        with path.open("rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:
        raise Unreadable(path) from error


def shanghaitech_reference(root: Path) -> dict[str, Expected]:
    found = {}
    for split, folder in (("train", "training"), ("test", "testing")):
        films = {
            p.stem: p for p in listed(root / folder / "videos") if p.suffix.lower() in (".avi", ".mp4", ".mov", ".mkv")
        }
        folders = {p.name: p for p in listed(root / folder / "frames") if p.is_dir()}
        for clip_id, path in (films | folders).items():
            label_file = root / f"testing/test_frame_mask/{clip_id}.npy"
            labels = [] if split == "train" else reference_array(label_file).tolist() if label_file.exists() else None
            found[clip_id] = Expected(split, path, labels)
    return found


def shanghaitech_mask(root: Path, clip_id: str, frame: int, n_frames: int) -> np.ndarray | None:
    path = root / f"testing/test_pixel_mask/{clip_id}.npy"
    if not path.is_file() or f"{clip_id}.npy" not in os.listdir(root / "testing/test_frame_mask"):
        return None
    masks = reference_array(path)
    if masks.shape == (n_frames, HEIGHT, WIDTH):
        return masks[frame] != 0
    if masks.shape == (HEIGHT, WIDTH, n_frames):
        return masks[:, :, frame] != 0
    raise Unreadable(path)


def ucsd_reference(root: Path) -> dict[str, Expected]:
    text = (root / "Test/UCSDped2.m").read_bytes().decode("latin-1").replace("\r", "\n")
    text = "\n".join(line.split("%")[0] for line in text.split("\n"))
    entries = [rest.strip()[1:].strip() for rest in text.split("gt_frame")[1:] if rest.strip().startswith("=")]
    found = {}
    for split in ("Train", "Test"):
        for path in listed(root / split):
            if re.fullmatch(rf"{split}\d+", path.name) and path.is_dir():
                n_frames, number = len(reference_pictures(path)), int(path.name[len(split) :])
                labels = [0] * n_frames
                if split == "Test":
                    inner = re.split(r"[\];]", entries[number - 1].removeprefix("["))[0]
                    for part in re.sub(r"\s*:\s*", ":", inner.replace("...", " ")).replace(",", " ").split():
                        first, last = (int(side) for side in (part.split(":") * 2)[:2])
                        labels[first - 1 : last] = [1] * (last - first + 1)
                found[path.name] = Expected(split.lower(), path, labels)
    return found


def ucsd_mask(root: Path, clip_id: str, frame: int, n_frames: int) -> np.ndarray | None:
    folder = root / f"Test/{clip_id}_gt"
    if not folder.is_dir() or clip_id.startswith("Train"):
        return None
    return reference_image(reference_pictures(folder)[frame], cv2.IMREAD_GRAYSCALE) > 0


def videos_reference(root: Path) -> dict[str, Expected]:
    return {
        (path.name if path.is_dir() else path.stem): Expected("test", path, [-1] * len(reference_frames(path)))
        for path in listed(root)
    }


def no_mask(root: Path, clip_id: str, frame: int, n_frames: int) -> None:
    return None


def reference_events(root: Path) -> list[list]:
    path = root / "events.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    rows = [row for row in rows if any(row.values())]
    return [[row["clip"], int(row["first"]), int(row["last"]), row["event"] or "anomaly"] for row in rows]


class Layout(NamedTuple):
    """How to write a small copy, open it, and what must come out."""

    write: Callable[[Path, np.random.Generator], None]
    open: Callable[[Path], VideoDataset]
    reference: Callable[[Path], dict[str, Expected]]
    mask: Callable[[Path, str, int, int], np.ndarray | None]


def opener(name: str) -> Callable[[Path], VideoDataset]:
    return lambda root: open_dataset(name, root)


LAYOUTS = {
    "shanghaitech-frames": Layout(
        write_shanghaitech_frames, opener("shanghaitech"), shanghaitech_reference, shanghaitech_mask
    ),
    "shanghaitech-videos": Layout(
        write_shanghaitech_films, opener("shanghaitech"), shanghaitech_reference, shanghaitech_mask
    ),
    "synthcampus": Layout(write_synthcampus, opener("synthcampus"), shanghaitech_reference, shanghaitech_mask),
    "ucsd-ped2": Layout(write_ucsd, opener("ucsd-ped2"), ucsd_reference, ucsd_mask),
    "videos": Layout(write_videos, lambda root: open_videos(listed(root)), videos_reference, no_mask),
}


# ---------------------------------------------------------------------------------------------------- mutations


def files(root: Path, *suffixes: str) -> list[Path]:
    found = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    return [path for path in found if not suffixes or path.suffix.lower() in suffixes]


def folders(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_dir())


def pick(rng, paths: list[Path]) -> Path | None:
    return paths[rng.integers(len(paths))] if paths else None


def on_one_of(*suffixes: str):
    """Makes a mutation of a function that changes one file, of these kinds."""

    def decorate(change):
        def mutate(rng, root):
            path = pick(rng, files(root, *suffixes))
            if path is None:
                return None
            change(rng, path, root)
            return [path]

        return mutate

    return decorate


def by_kind(rng, root: Path) -> Path:
    """A file, each kind as likely as another: there are more pictures than label files."""
    found = [path for path in files(root) if path.stat().st_size]
    suffixes = sorted({path.suffix.lower() for path in found})
    suffix = suffixes[rng.integers(len(suffixes))]
    return pick(rng, [path for path in found if path.suffix.lower() == suffix])


def on_any(change):
    """Makes a mutation of a function that changes a file of any kind."""

    def mutate(rng, root):
        path = by_kind(rng, root)
        change(rng, path)
        return [path]

    return mutate


@on_any
def truncate(rng, path):
    os.truncate(path, rng.integers(path.stat().st_size + 1))


@on_any
def flip_bits(rng, path):
    content = bytearray(path.read_bytes())
    reach = len(content) if rng.random() < 0.5 else min(len(content), 200)  # headers are at the beginning
    for _ in range(rng.integers(1, 9)):
        content[rng.integers(reach)] ^= 1 << rng.integers(8)
    path.write_bytes(content)


@on_any
def overwrite(rng, path):
    content = bytearray(path.read_bytes())
    start = rng.integers(len(content))
    width = rng.integers(1, 64)
    content[start : start + width] = bytes(width) if rng.random() < 0.5 else rng.bytes(width)
    path.write_bytes(content)


@on_any
def insert(rng, path):
    content = path.read_bytes()
    start = rng.integers(len(content) + 1)
    extra = [rng.bytes(rng.integers(1, 64)), b"\n", b'"', b"9" * 6000, b" " * 3000, b"%", b"\0" * 100][rng.integers(7)]
    path.write_bytes(content[:start] + extra + content[start:])


@on_any
def empty(rng, path):
    path.write_bytes(b"")


@on_any
def garbage(rng, path):
    path.write_bytes(rng.bytes(rng.integers(1, 3000)))


@on_any
def delete(rng, path):
    path.unlink()


def delete_folder(rng, root):
    path = pick(rng, folders(root))
    if path is not None:
        shutil.rmtree(path)
    return [path] if path else None


def new_name(rng, path: Path) -> str:
    stem = ["7", "x", "0", "1000000", "9" * 30, "", *HOSTILE_NAMES][rng.integers(6 + len(HOSTILE_NAMES))]
    suffix = [path.suffix, path.suffix.upper(), "", ".png", ".mp4"][rng.integers(5)]
    return f"{stem}{suffix}" or "none"


def rename(rng, root):
    path = by_kind(rng, root) if rng.random() < 0.6 else pick(rng, folders(root))
    if path is None:
        return None
    target = path.with_name(new_name(rng, path))
    if target.exists():
        return None
    path.rename(target)
    return [path, target]


def copy_beside(rng, root):
    path = by_kind(rng, root) if rng.random() < 0.6 else pick(rng, folders(root))
    if path is None:
        return None
    target = path.with_name(new_name(rng, path))
    if target.exists():
        return None
    (shutil.copytree if path.is_dir() else shutil.copy)(path, target)
    return [path, target]


def swap_contents(rng, root):
    a = by_kind(rng, root)
    b = pick(rng, files(root))
    contents = a.read_bytes(), b.read_bytes()
    b.write_bytes(contents[0])
    if a != b:
        a.write_bytes(contents[1])
    return [a, b]


def stray(rng, root):
    """Files that the operating system or an editor leaves."""
    folder = pick(rng, [root, *folders(root)])
    name = [".DS_Store", "Thumbs.db", "._001.jpg", "notes.txt", "desktop.ini", "001.jpg~"][rng.integers(6)]
    if folder == root:
        name = ".DS_Store"  # in a folder of videos others would be taken for one
    path = folder / name
    path.write_bytes(rng.bytes(20))
    return [path]


def link(rng, root):
    """Replace a file or folder by a link: to itself, to its folder, to nothing, to another, or to where it went."""
    path = by_kind(rng, root) if rng.random() < 0.6 else pick(rng, folders(root))
    if path is None:
        return None
    kind = rng.integers(5)
    other = pick(rng, files(root))
    moved = root / ".moved"
    path.rename(moved)
    target = [path.name, ".", "nowhere", os.path.relpath(other, path.parent), os.path.relpath(moved, path.parent)][kind]
    path.symlink_to(target)
    return [path, other]


def special(rng, root):
    """A pipe, a device without end, or a folder in place of a file; a file in place of a folder."""
    kind = rng.integers(4)
    path = by_kind(rng, root) if kind < 3 else pick(rng, folders(root))
    if path is None:
        return None
    if path.is_dir():
        shutil.rmtree(path)
        path.write_text("no folder")
        return [path]
    path.unlink()
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    return [path]


@on_one_of(".npy")
def swap_axes(rng, path, root):
    array = np.load(path)
    array = array.transpose(rng.permutation(array.ndim)) if rng.random() < 0.7 else array[..., None]
    np.save(path, np.ascontiguousarray(array) if rng.random() < 0.5 else np.asfortranarray(array))


@on_one_of(".npy")
def wrong_dtype(rng, path, root):
    array = np.load(path)
    kinds = ("?", "i1", ">i4", "f2", "f8", ">f4", "c8", "U3", "S2", "M8[s]", "O", "V1", "u8")
    kind = kinds[rng.integers(len(kinds))]
    fields = [("label", "u1")]
    np.save(path, array.astype("u1").view(fields) if kind == "V1" else array.astype(kind), allow_pickle=True)


@on_one_of(".npy")
def wrong_values(rng, path, root):
    array = np.load(path).astype("f8")
    array.ravel()[rng.integers(array.size)] = [2, -1, np.nan, np.inf, 0.5, 255][rng.integers(6)]
    np.save(path, array)


@on_one_of(".npy")
def wrong_length(rng, path, root):
    array = np.load(path)
    axis = rng.integers(array.ndim)
    array = np.concatenate([array, array.take([0], axis)], axis) if rng.random() < 0.5 else array.take([0, 1], axis)
    np.save(path, array)


@on_one_of(".npy")
def array_header(rng, path, root):
    """An `.npy` file that promises more, or something else, than it has."""
    kind = ["|u1", "<f8", "|O", "<U1", "<c16", "|V0"][rng.integers(6)]
    shapes = [
        "(1000000000000,)",
        "(6,)",
        "(-6,)",
        "(1099511627776, 1099511627776)",
        "(6, 12, 16)",
        "(True,)",
        "()",
        "6",
        "(0,)",
    ]
    header = f"{{'descr': {kind!r}, 'fortran_order': False, 'shape': {shapes[rng.integers(len(shapes))]}, }}"
    header = header[: rng.integers(len(header))] if rng.random() < 0.2 else header
    version = bytes([1, 0] if rng.random() < 0.8 else rng.integers(0, 5, 2).tolist())
    path.write_bytes(
        b"\x93NUMPY" + version + struct.pack("<H", len(header) + 1) + header.encode() + b"\n" + bytes(6 * 12 * 16)
    )


@on_one_of(".npy")
def zipped(rng, path, root):
    array = np.load(path)
    with path.open("wb") as file:
        np.savez(file, array)


@on_one_of(*PICTURES)
def lying_picture(rng, path, root):
    """A picture whose header gives another size than it has."""
    content = bytearray(path.read_bytes())
    sides = [0, 1, HEIGHT, WIDTH, 1000, 30_000, 60_000, 65_500, 2**31 - 1]
    height, width = (int(sides[i]) for i in rng.integers(len(sides), size=2))
    if path.suffix == ".jpg" and b"\xff\xc0" in content:
        start = content.index(b"\xff\xc0")
        content[start + 5 : start + 9] = struct.pack(">HH", min(height, 65_535), min(width, 65_535))
    elif path.suffix == ".png":
        header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
        content[12:33] = header + struct.pack(">I", zlib.crc32(header))
    elif path.suffix == ".bmp":
        content[18:26] = struct.pack("<ii", width, -height if rng.random() < 0.5 else height)
    elif path.suffix == ".tif":
        (start,) = struct.unpack_from("<I", content, 4)
        for entry in range(start + 2, start + 2 + 12 * content[start], 12):
            value = {256: width, 257: height, 278: height}.get(*struct.unpack_from("<H", content, entry))
            if value is not None:
                content[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, value)
    path.write_bytes(content)


@on_one_of(".avi")
def lying_film(rng, path, root):
    """An AVI file whose headers give another number of frames, size or rate than it has."""
    content = bytearray(path.read_bytes())
    main, stream, picture = (content.index(name) + 8 for name in (b"avih", b"strh", b"strf"))
    kind = rng.integers(3)
    if kind == 0:
        n_frames = int(rng.choice([0, 1, 2, 5, 8, 100, 10**6, 10**9, 2**32 - 1]))
        struct.pack_into("<I", content, main + 16, n_frames)
        struct.pack_into("<I", content, stream + 32, n_frames)
    elif kind == 1:
        height, width = (int(side) for side in rng.choice([0, 1, 8, 13, 60_000, 2**31 - 1], 2))
        struct.pack_into("<II", content, main + 32, width, height)
        struct.pack_into("<ii", content, picture + 4, width, height)
    else:
        struct.pack_into("<II", content, stream + 20, *(int(x) for x in rng.choice([0, 1, 7, 2**31 - 1, 2**32 - 1], 2)))
    path.write_bytes(content)


@on_one_of(*PICTURES)
def other_picture(rng, path, root):
    """A frame that is grey, has alpha, 16 bits, another size, is one pixel, turned, or of another format."""
    pictures = {
        "grey": noise(rng, HEIGHT, WIDTH),
        "alpha": noise(rng, HEIGHT, WIDTH, 4),
        "deep": rng.integers(0, 2**16, (HEIGHT, WIDTH, 3), dtype=np.uint16),
        "deep grey": rng.integers(0, 2**16, (HEIGHT, WIDTH), dtype=np.uint16),
        "odd": noise(rng, HEIGHT + 1, WIDTH - 3, 3),
        "pixel": noise(rng, 1, 1, 3),
        "turned": noise(rng, WIDTH, HEIGHT, 3),
        "large": noise(rng, 400, 300, 3),
    }
    name = list(pictures)[rng.integers(len(pictures))]
    suffix = [path.suffix, ".png", ".jpg", ".tif", ".bmp", ".webp", ".ppm"][rng.integers(7)]
    if "deep" in name or "alpha" in name:
        suffix = ".png" if path.suffix != ".tif" else ".tif"
    done, content = cv2.imencode(suffix, pictures[name])
    path.write_bytes((content if done else cv2.imencode(".png", pictures[name])[1]).tobytes())


@on_one_of(".jpg")
def turned_by_its_header(rng, path, root):
    """A JPEG with an EXIF orientation, as phones write them."""
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 274, 3, 1, int(rng.integers(1, 9)), 0, 0)
    content = path.read_bytes()
    path.write_bytes(content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:])


def other_clip(rng, root):
    """All frames of a clip replaced: of one pixel, of odd size, or grey."""
    candidates = [folder for folder in folders(root) if any(p.suffix.lower() in PICTURES for p in folder.iterdir())]
    folder = pick(rng, candidates)
    if folder is None:
        return None
    shape = [(1, 1), (1, 1, 3), (HEIGHT, WIDTH), (17, 5, 3), (1, 40, 3)][rng.integers(5)]
    for path in files(folder):
        if path.suffix.lower() in PICTURES:
            cv2.imwrite(str(path), noise(rng, *shape))
    return [folder]


@on_one_of(*FILMS)
def other_film(rng, path, root):
    """A video of another length, size, rate or codec in place of one."""
    size = [(2, 2), (HEIGHT, WIDTH), (16, 34), (48, 64)][rng.integers(4)]
    donor = root / f".donor{['.avi', '.mp4', '.mkv', '.mov'][rng.integers(4)]}"
    write_film(donor, int(rng.integers(1, 9)), rng, size, float(rng.choice([0.5, 7, 29.97, 240])))
    donor.replace(path)


@on_one_of(*FILMS)
def variable_rate(rng, path, root):
    """Frames of an MP4 file that last a different time each."""
    donor = root / ".donor.mp4"
    n_frames = int(rng.integers(3, 7))
    write_film(donor, n_frames, rng)
    content = donor.read_bytes()
    donor.unlink()
    path.write_bytes(two_rates(content, int(rng.integers(1, n_frames)), int(rng.integers(2, 50))))


def two_rates(content: bytes, n_first: int, factor: int) -> bytes:
    """An MP4 file as OpenCV writes it, whose frames after the first few last some times as long."""
    content = bytearray(content)
    at = content.index(b"stts")
    version, n_runs, n_frames, delta = struct.unpack_from(">4I", content, at + 4)
    assert (version, n_runs) == (0, 1)
    assert content.index(b"mdat") < at, "what comes after it in the file may move"
    content[at + 4 : at + 20] = struct.pack(">6I", 0, 2, n_first, delta, n_frames - n_first, delta * factor)
    for box in (b"stts", b"stbl", b"minf", b"mdia", b"trak", b"moov"):
        start = content.rindex(box, 0, at + 4) - 4  # of the boxes it is in, each is the last of its kind before it
        struct.pack_into(">I", content, start, struct.unpack_from(">I", content, start)[0] + 8)
    return bytes(content)


@on_one_of(".avi", ".mkv")
def many_frames(rng, path, root):
    """A clip of 10,000 frames of four pixels."""
    blank = np.zeros((2, 2, 3), np.uint8)
    donor = root / ".donor.avi"
    writer = cv2.VideoWriter(str(donor), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"MJPG"), 25, (2, 2))
    for _ in range(10_000):
        writer.write(blank)
    writer.release()
    donor.replace(path)


@on_one_of(".csv", ".m")
def text_of_labels(rng, path, root):
    """Rows of `events.csv` or of the `.m` file, replaced by others."""
    lines = path.read_text().splitlines()
    events = [
        "01_0014,1,2,walk",
        "02_0001,4,5,run",
        "01_0014,2,1,x",
        ",,,",
        "01_0014,1,1,NA",
        "x,0,0,y",
        "01_0014,1e0,1,x",
    ]
    ranges = [
        f"TestVideoFile{{end+1}}.gt_frame = {r};"
        for r in ("[]", "[1:5]", "5", "[3:2]", "[0:1]", "[1:2, 5:99]", "[x]", "[1 3 5]")
    ]
    choices = events if path.suffix == ".csv" else ranges
    lines[rng.integers(1, len(lines))] = choices[rng.integers(len(choices))]
    path.write_text(["\n", "\r\n", "\r"][rng.integers(3)].join(lines))


MUTATIONS = (
    truncate, flip_bits, overwrite, insert, empty, garbage, delete, delete_folder, rename, copy_beside, swap_contents,
    stray, link, special, swap_axes, wrong_dtype, wrong_values, wrong_length, array_header, zipped, lying_picture,
    lying_film, other_picture, turned_by_its_header, other_clip, other_film, variable_rate, text_of_labels, flip_bits,
    truncate, rename, lying_film,
)  # fmt: skip
