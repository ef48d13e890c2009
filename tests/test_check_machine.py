import runpy
import shutil
import sys
from types import SimpleNamespace

import pytest


@pytest.fixture
def problems(project_root):
    return runpy.run_path(str(project_root / "tools" / "check_machine.py"))["problems"]


def test_this_machine_will_do(problems, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert problems(str(tmp_path)) == []


def test_old_python_missing_venv_and_full_disk_are_named(problems, tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2e9))
    old, venv, disk = problems(str(tmp_path / ".venv"))
    assert "Python 3.11 or newer is needed" in old
    assert "is 3.9.1" in old
    assert "python3-venv" in venv
    assert "7 GB free are needed" in disk
    assert "2.0 GB" in disk
