import pytest

from vadlib.data.layouts.cameras import UNKNOWN_SCENE, assign_cameras, hours_alone, without_times

TIMES = [
    *("2024", "2024-01", "2024-01-02", "20240102", "202401", "2024.1.2_10-00-07", "02-01-2024", "1-2-2024"),
    *("2024年1月2日", "2024-W05", "06h", "10:30", "march", "Monday", "20240102AM", "2024-01-02T10-00-07"),
    *("20240102100007", "20240102_10", "2024_01_02_10_00_07", "2024010210", "2024-01-02 10.00.07"),
]
CAMERAS = ["gate", "01", "cam2024", "2024-gate", "1", "camera1", "200", "1080p", "門", "x2024-01-02", "12-a"]


@pytest.mark.parametrize("folder", TIMES)
def test_called_after_a_time(folder):
    assert without_times(["gate", folder, "yard"]) == ["gate", "yard"]


@pytest.mark.parametrize("folder", CAMERAS)
def test_called_after_something_else(folder):
    assert without_times([folder]) == [folder]


def test_short_numbers_are_times_only_after_a_date():
    assert without_times(["2024-01-01", "06", "gate", "07"]) == ["gate", "07"]
    assert without_times(["gate", "2024", "01", "02", "10"]) == ["gate"]
    assert without_times(["20240101", "0600", "yard"]) == ["yard"]
    assert without_times(["2024-01-02", "001", "dav", "10"]) == ["001", "dav", "10"]


def test_hours_that_may_be_cameras():
    assert hours_alone([("2024-01-01", "1"), ("2024-01-01", "2")]) == ["1", "2"]
    assert hours_alone([("2024", "01", "02", "06"), ("2024", "01", "03", "06")]) == ["06"]
    assert hours_alone([("2024-01-01", "06", "gate"), ("2024-01-01", "07")]) == []
    assert hours_alone([(), ("2024-01-01", "06h")]) == []


@pytest.mark.parametrize(
    ("normal", "scored", "expected"),
    [
        ([("gate",), ("yard",)], [("gate",), ("march", "YARD"), ("pond", "deep"), ()], "gate yard pond unknown"),
        ([("2024", "01", "01", "06", "gate")], [("2024", "01", "02", "07", "gate")], "gate"),
        ([("gate", "2024-01-01", "06")], [("gate", "2024-01-02", "07"), ("2024-01-02", "gate")], "gate gate"),
        ([("06", "gate"), ("07", "gate")], [("07", "gate"), ("08", "gate")], "gate gate"),
        ([("01", "day"), ("02", "day")], [("01", "day"), ("02", "night")], "01 02"),
        ([("2024-01-01",), ("2024-01-02",)], [("2024-01-03",), ("gate",)], "unknown unknown"),
        ([("front", "gate")], [("gate",), ("gate", "x")], "gate gate"),
        ([()], [("gate",)], "unknown"),
        ([("gate",)], [("yard",)], "yard"),
    ],
)
def test_which_camera(normal, scored, expected):
    assert assign_cameras(normal, scored)[1] == expected.split()


def test_normal_footage_has_cameras_too():
    normal, _ = assign_cameras([("gate", "a"), ("Gate",), ()], [("gate",)])
    assert normal == ["Gate", "Gate", UNKNOWN_SCENE]  # one spelling of the two, always the same
