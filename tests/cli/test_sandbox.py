"""`tidegate sandbox` becomes the sandbox: it says its address, keeps what it is sent, and ends at a signal."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.cli.door import ROOT

SERVED = [sys.executable, "-m", "engine.faces.cli", "sandbox", "--port", "0"]


def test_the_sandbox_serves_until_it_is_interrupted_and_keeps_its_store(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*SERVED, "--store", str(tmp_path / "kept")], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert process.stdout is not None
    with process.stdout:
        address = process.stdout.readline().split()[2]
        health = httpx.get(f"{address}/health", trust_env=False)
        page = httpx.get(address, trust_env=False)
        process.send_signal(signal.SIGINT)
        code = process.wait(60)

    assert health.json()["service"] == "tidegate sandbox"
    assert "<h1>Sandbox</h1>" in page.text
    assert code == 0
    assert (tmp_path / "kept" / "sandbox.db").is_file()


def test_a_port_that_cannot_be_is_refused_by_the_sandbox_itself(tmp_path: Path) -> None:
    done = subprocess.run(
        [*SERVED[:-1], "99999", "--store", str(tmp_path)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT)},
        timeout=30,
        check=False,
    )

    assert done.returncode == 2
    assert "--port" in done.stderr
