import shutil

import pytest

from vadlib.data import open_dataset
from vadlib.data.layouts import catalogue as layouts
from vadlib.errors import LayoutError, ParameterError, UnreadableError


def test_root_may_be_the_archive_its_parent_or_the_set(ucsd_root, shanghaitech_root):
    archive = ucsd_root / "UCSD_Anomaly_Dataset.v1p2"
    opened = [open_dataset("ucsd-ped2", root) for root in (ucsd_root, archive, archive / "UCSDped2", str(archive))]
    assert {dataset.root for dataset in opened} == {archive / "UCSDped2"}
    opened = [open_dataset("shanghaitech", root) for root in (shanghaitech_root, shanghaitech_root.parent)]
    assert {dataset.root for dataset in opened} == {shanghaitech_root}


def test_unknown_name():
    with pytest.raises(
        ParameterError, match=r"shanghaitech, synthcampus, ucsd-ped1, ucsd-ped2.*Did you mean 'ucsd-ped2'"
    ):
        open_dataset("ucsd_ped2", "anywhere")


def test_root_does_not_exist(tmp_path):
    (tmp_path / "datasets").mkdir()
    with pytest.raises(LayoutError, match=r"datasetz/ped does not exist\. Did you mean .*datasets\?"):
        open_dataset("ucsd-ped2", tmp_path / "datasetz" / "ped")


def test_root_is_a_file(tmp_path):
    (tmp_path / "shanghaitech.tar.gz").write_bytes(b"")
    with pytest.raises(LayoutError, match=r"is a file\. Unpack it"):
        open_dataset("shanghaitech", tmp_path / "shanghaitech.tar.gz")


def test_another_data_set(ucsd_root, shanghaitech_root):
    ped2 = ucsd_root / "UCSD_Anomaly_Dataset.v1p2/UCSDped2"
    with pytest.raises(LayoutError, match=r"there is Test, Train\. It looks like ucsd-ped2: open_dataset\('ucsd-ped2'"):
        open_dataset("shanghaitech", ped2)
    with pytest.raises(LayoutError, match="It looks like ucsd-ped2"):
        open_dataset("ucsd-ped1", ped2)
    with pytest.raises(LayoutError, match="It looks like shanghaitech"):
        open_dataset("ucsd-ped2", shanghaitech_root)


def test_root_too_deep_or_not_deep_enough(tmp_path, shanghaitech_root):
    with pytest.raises(LayoutError, match=rf"shanghaitech is in {shanghaitech_root}: give that as root"):
        open_dataset("shanghaitech", shanghaitech_root / "testing")
    deep = shutil.copytree(shanghaitech_root, tmp_path / "downloads/campus")
    with pytest.raises(LayoutError, match=rf"shanghaitech is in {deep}: give that as root"):
        open_dataset("shanghaitech", tmp_path)


def test_renamed_folder(tmp_path, shanghaitech_root):
    shutil.copytree(shanghaitech_root / "training", tmp_path / "Trainings")
    with pytest.raises(LayoutError, match=r"The nearest match is 'Trainings': rename it to 'training'"):
        open_dataset("shanghaitech", tmp_path)


@pytest.mark.parametrize("allow_missing", [False, True])
class TestSyntheticDataNeverPassForReal:
    def test_a_world_is_not_shanghaitech(self, tiny_world, allow_missing):
        message = r"is not shanghaitech: it has world\.json and events\.csv.* open_dataset\(\"synthcampus\", root\)"
        with pytest.raises(LayoutError, match=message):
            open_dataset("shanghaitech", tiny_world, allow_missing=allow_missing)
        assert len(open_dataset("synthcampus", tiny_world, allow_missing=allow_missing).events) > 0

    def test_shanghaitech_is_not_a_world(self, shanghaitech_root, allow_missing):
        with pytest.raises(LayoutError, match=r"is not synthcampus: events\.csv is expected.* use \"shanghaitech\""):
            open_dataset("synthcampus", shanghaitech_root, allow_missing=allow_missing)


@pytest.mark.parametrize("root", ["x" * 5000, "a\0b", "~no_such_user_here/data"])
@pytest.mark.parametrize("name", ["shanghaitech", "ucsd-ped2"])
def test_a_root_that_no_machine_could_have(name, root):
    with pytest.raises(ParameterError, match="cannot be used: .*Give another"):
        open_dataset(name, root)


def test_a_folder_that_may_not_be_entered(shanghaitech_root, monkeypatch):
    """As a user without the right to enter it sees it; permissions do not bind the superuser."""

    def refuse(home, name):
        raise PermissionError(13, "Permission denied", str(home / "testing"))

    monkeypatch.setitem(layouts.LAYOUTS, "shanghaitech", layouts.LAYOUTS["shanghaitech"]._replace(matches=refuse))
    with pytest.raises(UnreadableError, match="testing cannot be read: Permission denied. Check its permissions"):
        open_dataset("shanghaitech", shanghaitech_root)
