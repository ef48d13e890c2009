import json
import subprocess

import pytest

from vadlib.runs import provenance


def test_git_revision_says_hash_and_whether_anything_changed(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    assert provenance.git_revision(tmp_path) is None
    git("init")
    assert provenance.git_revision(tmp_path) == {"revision": None, "dirty": False}
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "x")
    clean = provenance.git_revision(tmp_path)
    assert len(clean["revision"]) == 40
    assert not clean["dirty"]
    (tmp_path / "a").write_text("2")
    assert provenance.git_revision(tmp_path) == {**clean, "dirty": True}


def test_without_git_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_revision(tmp_path) is None


def test_peak_memory_is_that_of_the_program_in_bytes(python):
    code = """
from vadlib.runs import provenance as p
before = p.peak_host_bytes()
held = b"x" * (300 << 20)
print(before, p.peak_host_bytes())
"""
    held = b"x" * (400 << 20)  # what started it must not count
    before, after = map(int, python("-c", code).stdout.split())
    del held
    assert before < 300 << 20
    assert 290 << 20 < after - before < 400 << 20


def test_the_machine_in_words():
    machine = provenance.hardware()
    assert machine["cores"] >= 1
    assert machine["memory_bytes"] > 1 << 28
    assert machine["cpu"] in provenance.device_name() or provenance.peak_device_bytes() is not None
    json.dumps(machine, allow_nan=False)


def test_versions_name_what_is_installed_only():
    versions = provenance.package_versions()
    assert {"python", "numpy", "pandas", "vadlib"} <= set(versions)
    assert None not in versions.values()


def test_asking_never_imports_torch(python):
    code = "import sys; from vadlib.runs import provenance as p; p.device_name(), p.synchronize(), p.peak_device_bytes(); print('torch' in sys.modules)"
    assert python("-c", code).stdout == "False\n"


@pytest.mark.parametrize("module", ["vadlib.report.notebooks", "vadlib.report"])
def test_papermill_is_not_kept_waiting(python, module):
    code = f"import sys, {module}; print(sorted({{'torch', 'pandas', 'matplotlib', 'jupytext'}} & set(sys.modules)))"
    assert python("-c", code).stdout == "[]\n"
