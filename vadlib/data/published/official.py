"""What the published data sets hold, and where their authors publish them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """A file that authors publish.

    Its sha256 is as recorded by anomalib (openvinotoolkit/anomalib, src/anomalib/data/datamodules/video).
    """

    file: str
    url: str
    sha256: str
    entry: str | None = None  # the folder in it that holds the data
    parts: int | None = None  # in which it is passed around, too, as `split` names them: .aa, .ab, …


@dataclass(frozen=True)
class Publication:
    """What a data set is published as."""

    page: str  # where its authors describe it
    terms: str  # under which it may be used
    archives: tuple[Archive, ...]
    datasets: tuple[str, ...]  # that are in them, as `open_dataset` calls them


@dataclass(frozen=True)
class Counts:
    """How much there is of a data set."""

    train_clips: int
    train_frames: int
    test_clips: int
    test_frames: int
    anomalous: Mapping[int, str]  # test frames, by which record of the labels; several where several circulate
    mask_clips: int  # test clips with pixel masks
    train_scenes: tuple[int, ...] = ()  # clips by scene, in the scenes' order, where there are several
    test_scenes: tuple[int, ...] = ()


COUNTS = {
    "shanghaitech": Counts(  # Luo et al. 2017; anomalous frames counted from the authors' masks
        train_clips=330, train_frames=274_515, test_clips=107, test_frames=40_791,
        anomalous={17_326: "test_frame_mask"}, mask_clips=107,
        train_scenes=(83, 15, 6, 20, 66, 30, 8, 49, 10, 11, 10, 15, 7),
        test_scenes=(34, 3, 10, 9, 8, 6, 8, 12, 1, 5, 1, 10),
    ),
    "ucsd-ped1": Counts(  # the archive's README.txt; anomalous frames counted from the ranges of UCSDped1.m
        train_clips=34, train_frames=6_800, test_clips=36, test_frames=7_200,
        anomalous={4_045: "UCSDped1.m"}, mask_clips=10,
    ),
    "ucsd-ped2": Counts(
        train_clips=16, train_frames=2_550, test_clips=12, test_frames=2_010,
        anomalous={1_648: "UCSDped2.m"}, mask_clips=12,
    ),
    "avenue": Counts(  # Lu et al. 2013; Hasan et al. 2016 for avenue.mat
        train_clips=16, train_frames=15_328, test_clips=21, test_frames=15_324,
        anomalous={3_712: "the authors' masks", 3_867: "avenue.mat"}, mask_clips=21,
    ),
}  # fmt: skip

PUBLICATIONS = {
    "shanghaitech": Publication(  # the address is that of the authors' README, StevenLiuWen/ano_pred_cvpr2018
        page="https://svip-lab.github.io/dataset/campus_dataset.html",
        terms="research; cite Luo et al. 2017",
        archives=(
            Archive(
                "shanghaitech.tar.gz",
                "http://101.32.75.151:8181/dataset/shanghaitech.tar.gz",
                "c13a827043b259ccf8493c9d9130486872992153a9d714fe229e523cd4c94116",
                "shanghaitech",
                parts=7,  # the authors' page leads to these: .aa to .ag
            ),
        ),
        datasets=("shanghaitech",),
    ),
    "ucsd": Publication(
        page="http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm",
        terms="research; cite Mahadevan et al. 2010",
        archives=(
            Archive(
                "UCSD_Anomaly_Dataset.tar.gz",
                "http://www.svcl.ucsd.edu/projects/anomaly/UCSD_Anomaly_Dataset.tar.gz",
                "2329af326951f5097fdd114c50e853957d3e569493a49d22fc082a9fd791915b",
                "UCSD_Anomaly_Dataset.v1p2",
            ),
        ),
        datasets=("ucsd-ped1", "ucsd-ped2"),
    ),
    "avenue": Publication(
        page="http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/dataset.html",
        terms="non-commercial use; cite Lu et al. 2013",
        archives=(
            Archive(
                "Avenue_Dataset.zip",
                "http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/Avenue_Dataset.zip",
                "fc9cb8432a11ca79c18aa180c72524011411b69d3b0ff27c8816e41c0de61531",
                "Avenue Dataset",
            ),
            Archive(
                "ground_truth_demo.zip",
                "http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/ground_truth_demo.zip",
                "60fec1728ec8f73a58aad3aeb5729d70a805a47e0b8eb4bf91ab67ef06386d77",
                "ground_truth_demo",
            ),
        ),
        datasets=("avenue",),
    ),
}
