"""Two daemons on one PostgreSQL, killed again and again; `scripts/daemons.py` does the same for ten minutes with fifty syncs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects import ROOT


@pytest.mark.crash
@pytest.mark.timeout(600)
def test_whichever_daemon_is_killed_each_moment_has_one_run_and_the_destination_what_is_desired(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    size = ["--syncs", "3", "--minutes", "0.4", "--every", "6", "--kill-every", "10"]
    command = [sys.executable, str(ROOT / "scripts" / "daemons.py"), *size, "--json", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    numbers = json.loads(report.read_text(encoding="utf-8"))["numbers"]
    assert numbers["daemons killed"] >= 2
    assert numbers["scheduled moments that had their run"] >= 6
