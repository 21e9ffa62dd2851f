"""A short slice of `scripts/chaos.py`: real kills, a bad network and a bad destination, and nothing that is promised breaks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.projects import ROOT

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(400)]
SEED = os.environ.get("TIDEGATE_TEST_SEED", "11")
NEVER = ("duplicates", "missing", "stale", "stale_writes", "unverified")


def chaos(tmp_path: Path, ledger: str, kills: int) -> dict[str, Any]:
    """What a chaos run counted; it names the seed when an invariant broke."""
    counted = tmp_path / "counted.json"
    command = [sys.executable, str(ROOT / "scripts" / "chaos.py"), "--ledger", ledger, "--seed", SEED]
    done = subprocess.run(
        [*command, "--kills", str(kills), "--json", str(counted)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"seed {SEED}\n{done.stdout}\n{done.stderr}"
    found: dict[str, Any] = json.loads(counted.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(("ledger", "kills"), [("sqlite", 20), ("postgres", 8)])
def test_whatever_dies_when_syncs_converge_and_nothing_happens_twice(tmp_path: Path, ledger: str, kills: int) -> None:
    """I1, I3, I5, I7, I8, I9, I19; G1 and G2 in small."""
    found = chaos(tmp_path, ledger, kills)

    assert found["broken"] is None
    assert found["killed"] >= kills
    assert found["rounds"] > 0
    assert found["disturbed"] > 0, "the destination and the network must have made trouble"
    assert {name: found[name] for name in NEVER} == dict.fromkeys(NEVER, 0)
    assert 0 < found["again"] <= found["again_max"]
    assert ledger == "sqlite" or found["sessions"] + found["restarts"] > 0, "the server must have been hit"
