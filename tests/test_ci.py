"""CI looks at everything: there, a skipped test is a failed one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SKIPPING = {
    "a test": "import pytest\ndef test_x():\n    pytest.skip('no database here')\n",
    "a whole file": "import pytest\npytest.skip('no database here', allow_module_level=True)\n",
}


def run_pytest(folder: Path, ci: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", str(folder)]
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("what", SKIPPING)
def test_what_is_skipped_in_ci_fails_the_run_and_says_why(tmp_path: Path, what: str) -> None:
    (tmp_path / "test_it.py").write_text(SKIPPING[what] + "\n\ndef test_fine():\n    assert True\n")
    ended = run_pytest(tmp_path, ci="true")
    assert ended.returncode not in {0, 5}, ended.stdout
    assert "no database here" in ended.stdout


def test_what_is_skipped_on_a_laptop_is_only_reported(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(SKIPPING["a test"])
    ended = run_pytest(tmp_path, ci="")
    assert ended.returncode == 0, ended.stdout
    assert "1 skipped" in ended.stdout
