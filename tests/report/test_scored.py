"""What a chapter shows of its scores."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from vadlib.data import FrameReader, open_dataset
from vadlib.report.scored import localise


@pytest.fixture
def bright_anomalies(tmp_path):
    """UCSD Ped2 in small: a bright square in every second frame of two test clips, which is what the masks mark."""
    home = tmp_path / "UCSDped2"
    for folder in ("Train/Train001", "Test/Test001", "Test/Test002", "Test/Test001_gt", "Test/Test002_gt"):
        (home / folder).mkdir(parents=True)
        for frame in range(1, 5):
            picture = np.zeros((48, 64), np.uint8)
            if frame % 2 == 0 and "Test" in folder:
                picture[8 : 8 + 4 * frame, 16:32] = 255
            ending = "bmp" if folder.endswith("_gt") else "tif"
            assert cv2.imwrite(str(home / folder / f"{frame:03d}.{ending}"), picture)
    ranges = "TestVideoFile{end+1}.gt_frame = [2:2, 4:4];\n"
    (home / "Test/UCSDped2.m").write_text("TestVideoFile = {};\n" + 2 * ranges)
    return open_dataset("ucsd-ped2", home)


class Brightness:
    """A detector whose heatmap is the picture, or its negative."""

    def __init__(self, sign):
        self.sign = sign

    def heatmap(self, images):
        return self.sign * images.float().mean(dim=1).numpy()


def test_localise_holds_heatmaps_against_masks(bright_anomalies):
    table = bright_anomalies.frame_table()
    scores = table[table["split"] == "test"].reset_index(drop=True)
    chapter = SimpleNamespace(
        dataset=bright_anomalies,
        given=SimpleNamespace(seed=0, image_size=48),
        read=lambda frames, description: FrameReader(bright_anomalies, frames, (48, 48), 3, progress=False),
    )
    right = localise(Brightness(1), chapter, scores, n=6)
    wrong = localise(Brightness(-1), chapter, scores, n=6)
    assert right["pixel_auroc"].estimate > 0.99
    assert right["pointing"].estimate == 1
    assert right["mask_share"].estimate == pytest.approx((8 + 16) / 2 * 16 / (48 * 64))
    assert wrong["pixel_auroc"].estimate < 0.01
    assert wrong["pointing"].estimate == 0
    one_clip = scores[scores["clip"] == scores["clip"][0]]
    assert localise(Brightness(1), chapter, one_clip, n=6) is None
