"""Tiny data sets whose every frame can be told from its pixels: red says which frame, green which clip."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import scipy.io

HEIGHT, WIDTH = 48, 64
RED_STEP, GREEN_STEP = 6, 30


def frame_image(frame: int, clip_number: int = 0, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """uint8 (H, W, 3) BGR, as OpenCV writes it."""
    return np.full((*size, 3), (10, GREEN_STEP * clip_number, RED_STEP * frame), np.uint8)


def identify(image: np.ndarray) -> tuple[int, int]:
    """(frame, clip number) of a picture (H, W, 3) RGB, after lossy compression."""
    red, green, blue = np.asarray(image).reshape(-1, 3).mean(axis=0)
    assert abs(blue - 10) < 8
    return round(red / RED_STEP), round(green / GREEN_STEP)


def write_video(path: Path, n_frames: int, clip_number: int = 0, fps: float = 25) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), fps, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for frame in range(n_frames):
        writer.write(frame_image(frame, clip_number))
    writer.release()
    return path


def cut_video(path: Path, n_frames: int) -> None:
    """Cut a video of `write_video` off after some of its frames; its header still promises all of them."""
    content = path.read_bytes()
    start = 0
    for _ in range(n_frames + 1):  # each frame is a chunk called 00dc
        start = content.index(b"00dc", start) + 4
    path.write_bytes(content[: start - 4])


def damage_video(path: Path, n_frames: int) -> int:
    """Zero 5 % of a video in the middle; gives the number of frames that a decoder still finds."""
    content = bytearray(path.read_bytes())
    start, end = content.index(b"movi"), content.rindex(b"idx1")
    middle, width = (start + end) // 2, len(content) // 20
    content[middle : middle + width] = bytes(width)
    path.write_bytes(content)
    capture, n_found = cv2.VideoCapture(str(path)), 0
    while capture.grab():
        n_found += 1
    assert 0 < n_found < n_frames, "the damage must drop frames"
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == n_frames, "the header must still promise them all"
    return n_found


def write_frames(
    folder: Path, n_frames: int, clip_number: int = 0, *, name="{:03d}.jpg", start: int = 0, size=(HEIGHT, WIDTH)
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(n_frames):
        assert cv2.imwrite(str(folder / name.format(frame + start)), frame_image(frame, clip_number, size))
    return folder


def save(path: Path, array: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, **options)
    return path


def masks_for(labels: np.ndarray) -> np.ndarray:
    """uint8 (T, H, W): in anomalous frame t, column t is set."""
    masks = np.zeros((len(labels), HEIGHT, WIDTH), np.uint8)
    for frame in np.flatnonzero(labels):
        masks[frame, :, frame] = 1
    return masks


SHANGHAITECH_LABELS = {
    "01_0014": np.array([0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0], np.uint8),
    "01_0015": np.array([0, 1, 1, 1, 1, 0, 0, 0], np.uint8),
    "02_0001": np.array([1] * 5 + [0] * 9, np.uint8),
}


def write_shanghaitech(root: Path, events: str | None = None) -> Path:
    """Three training videos, two test clips as frames and one as a video; masks in either order, and none for 02_0001."""
    for number, (clip_id, n_frames) in enumerate({"01_001": 10, "01_002": 7, "02_001": 9}.items()):
        write_video(root / f"training/videos/{clip_id}.avi", n_frames, number, fps=20)
    for number, (clip_id, labels) in enumerate(SHANGHAITECH_LABELS.items(), start=3):
        if clip_id == "02_0001":
            write_video(root / f"testing/videos/{clip_id}.avi", len(labels), number, fps=20)
        else:
            write_frames(root / f"testing/frames/{clip_id}", len(labels), number)
        save(root / f"testing/test_frame_mask/{clip_id}.npy", labels)
    for clip_id, axes in (("01_0014", (0, 1, 2)), ("01_0015", (1, 2, 0))):
        masks = masks_for(SHANGHAITECH_LABELS[clip_id]).transpose(axes)
        save(root / f"testing/test_pixel_mask/{clip_id}.npy", masks)
    if events is not None:
        (root / "events.csv").write_text(events)
    return root


def write_ucsd(home: Path, name: str = "UCSDped2", suffix: str = ".tif") -> Path:
    """Two training clips, three test clips (masks for the first two), and the stray files of the real archive."""
    for number, n_frames in enumerate((6, 8), start=1):
        write_frames(home / f"Train/Train{number:03d}", n_frames, number, name="{:03d}" + suffix, start=1)
    for number, n_frames in enumerate((10, 12, 7), start=1):
        write_frames(home / f"Test/Test{number:03d}", n_frames, number + 2, name="{:03d}" + suffix, start=1)
    for number, n_frames, mask_name in ((1, 10, "{:03d}.bmp"), (2, 12, "frame{:03d}.bmp")):
        folder = home / f"Test/Test{number:03d}_gt"
        folder.mkdir()
        for frame in range(n_frames):
            mask = np.zeros((HEIGHT, WIDTH), np.uint8)
            mask[:, frame] = 255
            assert cv2.imwrite(str(folder / mask_name.format(frame + 1)), mask)
    lines = ["TestVideoFile = {};", "% gt_frame = [1:2];"]
    lines += [f"TestVideoFile{{end+1}}.gt_frame = [{ranges}];" for ranges in ("5:7", "1:3, 9:12", "")]
    (home / f"Test/{name}.m").write_text("\r\n".join(lines))
    for stray in (
        f"Test/{name}.m~",
        "Test/.DS_Store",
        "Test/Test001/._001.tif",
        "Train/Train001/.DS_Store",
        "Test/Test002/Thumbs.db",
    ):
        (home / stray).write_bytes(b"stray")
    return home


AVENUE_LABELS = {
    1: np.array([0, 0, 1, 1, 0, 1, 0, 0, 0], np.uint8),
    2: np.array([1, 1, 0, 0, 0, 0], np.uint8),
    10: np.array([0] * 11, np.uint8),
}


def cells(arrays: list[np.ndarray]) -> np.ndarray:
    """(1, n) object array, which MATLAB calls a cell array."""
    found = np.empty((1, len(arrays)), object)
    found[0] = [*arrays, None][:-1]  # the None keeps NumPy from making one array of them
    return found


def write_mask_volume(path: Path, masks: np.ndarray, **options) -> Path:
    """Masks (T, H, W) as CUHK Avenue files them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"volLabel": cells(list(masks))}, do_compression=True, **options)
    return path


def write_intervals(path: Path, labels: dict[int, np.ndarray] = AVENUE_LABELS) -> Path:
    """`avenue.mat`: the same labels as intervals numbered from 1; clips that are not there have none."""
    spans = []
    for number in range(1, max(labels) + 1):
        edges = np.flatnonzero(np.diff(labels.get(number, np.zeros(1)).astype(int), prepend=0, append=0))
        spans.append(edges.reshape(-1, 2).T.astype(np.uint16) + np.array([[1], [0]], np.uint16))
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {"gt": cells(spans)})
    return path


def write_avenue(top: Path, frames: bool = False) -> Path:
    """Two training and three test clips, as published (the two archives beside one another), or as folders of frames."""
    home = top / ("avenue" if frames else "Avenue Dataset")
    for number, n_frames in ((1, 8), (2, 5)):
        if frames:
            write_frames(home / f"training/frames/{number:02d}", n_frames, number, name="{:04d}.jpg")
        else:
            write_video(home / f"training_videos/{number:02d}.avi", n_frames, number)
    for clip_number, (number, labels) in enumerate(AVENUE_LABELS.items(), start=3):
        if frames:
            write_frames(home / f"testing/frames/{number:02d}", len(labels), clip_number, name="{:04d}.jpg")
        else:
            write_video(home / f"testing_videos/{number:02d}.avi", len(labels), clip_number)
            write_mask_volume(top / f"ground_truth_demo/testing_label_mask/{number}_label.mat", masks_for(labels))
    if frames:
        write_intervals(home / "avenue.mat")
    return home


def write_folder(root: Path) -> Path:
    """Videos of one's own: two cameras with normal footage (gate, yard), one without (pond), one clip of no camera."""
    write_video(root / "normal/gate/a.avi", 9, 1, fps=20)
    write_frames(root / "normal/yard/b", 8, 2, name="frame{}.png", start=1)
    write_video(root / "gate/Mittag größer.avi", 11, 3, fps=20)
    write_frames(root / "march/yard/day.1", 6, 4)
    write_video(root / "pond/deep/e.avi", 5, 5, fps=20)
    write_video(root / "top.avi", 4, 6, fps=20)
    return root


@pytest.fixture(scope="session")
def write():
    """The writers above, for the tests of this folder."""
    return SimpleNamespace(
        video=write_video,
        cut=cut_video,
        damage=damage_video,
        frames=write_frames,
        array=save,
        masks_for=masks_for,
        shanghaitech=write_shanghaitech,
        ucsd=write_ucsd,
        folder=write_folder,
        avenue=write_avenue,
        mask_volume=write_mask_volume,
        intervals=write_intervals,
        cells=cells,
        avenue_labels=AVENUE_LABELS,
        identify=identify,
        labels=SHANGHAITECH_LABELS,
        size=(HEIGHT, WIDTH),
    )


@pytest.fixture(scope="session")
def shanghaitech_root(tmp_path_factory) -> Path:
    """A tiny ShanghaiTech; read only."""
    return write_shanghaitech(tmp_path_factory.mktemp("tiny") / "shanghaitech")


@pytest.fixture(scope="session")
def ucsd_root(tmp_path_factory) -> Path:
    """A tiny UCSD archive with Ped2 in it; read only."""
    top = tmp_path_factory.mktemp("tiny")
    write_ucsd(top / "UCSD_Anomaly_Dataset.v1p2/UCSDped2")
    return top
