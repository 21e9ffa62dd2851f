"""A small share of every numeric goal that `scripts/measure.py` measures at full size."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.projects import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
SEED = os.environ.get("TIDEGATE_TEST_SEED", "11")
REGISTRY = ROOT / "scripts" / "goals" / "registry.py"
GOALS = re.findall(r'^ +"(G\d+)": ', REGISTRY.read_text(encoding="utf-8"), re.MULTILINE)


LONG = ("G4", "G20")
"""Even a small share of these takes minutes: they are run by hand or nightly."""
CASES = [pytest.param(goal, marks=[pytest.mark.scale] if goal in LONG else []) for goal in GOALS]


@pytest.mark.parametrize("goal", CASES)
def test_a_share_of_the_goal_holds(goal: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = [sys.executable, str(ROOT / "scripts" / "measure.py"), goal, "--slice", "--seed", SEED]
    done = subprocess.run([*command, "--json", str(report)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, f"seed {SEED}\n{done.stdout}\n{done.stderr}"
    (found,) = json.loads(report.read_text(encoding="utf-8"))
    assert found["broken"] == []
    assert any(found["numbers"].values()), "something must have been counted"
