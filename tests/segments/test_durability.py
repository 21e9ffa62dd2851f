"""A file has its final name only once its bytes are on disk, whatever ends the process that writes it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.clock import SystemEntropy
from engine.failpoints import VARIABLE
from engine.segments.files import Storage
from tests.projects import ROOT

ROWS = 1_000
WRITER = f"""
import os, signal, sys
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from engine.clock import SystemEntropy
from engine.segments.files import Storage

folder, dies_in_the_middle = Path(sys.argv[1]), len(sys.argv) > 2
storage = Storage(str(folder / "store"), scratch=folder / "scratch", entropy=SystemEntropy())
with storage.writing("some/versions", "rows") as draft:
    pq.write_table(pa.table({{"n": list(range({ROWS}))}}), draft.local)
    if dies_in_the_middle:
        os.truncate(draft.local, 100)
        os.kill(os.getpid(), signal.SIGKILL)
"""

traced = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def child(
    folder: Path, *arguments: str, before: Sequence[str] = (), point: str = ""
) -> subprocess.CompletedProcess[str]:
    """A process that writes one segment, and is gone."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), VARIABLE: point}
    command = [*before, sys.executable, "-c", WRITER, str(folder), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


def named(folder: Path) -> list[Path]:
    """Every file under a name that a segment may have."""
    return [path for path in (folder / "store").rglob("*.parquet") if path.is_file()]


@pytest.mark.crash
def test_a_writer_that_dies_in_the_middle_leaves_no_segment(tmp_path: Path) -> None:
    assert child(tmp_path, "dies").returncode == -signal.SIGKILL
    assert named(tmp_path) == []


@pytest.mark.crash
def test_a_writer_that_dies_before_the_rename_leaves_no_segment(tmp_path: Path) -> None:
    assert child(tmp_path, point="segment.before_rename=kill").returncode == -signal.SIGKILL
    assert named(tmp_path) == []


@pytest.mark.crash
def test_a_writer_that_dies_after_the_rename_leaves_a_whole_file(tmp_path: Path) -> None:
    assert child(tmp_path, point="segment.after_rename=kill").returncode == -signal.SIGKILL
    (path,) = named(tmp_path)
    assert pq.read_table(path)["n"].to_pylist() == list(range(ROWS))


def test_bytes_and_names_are_on_disk_in_that_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, str]] = []
    sync, rename = os.fsync, os.rename

    def recorded_sync(descriptor: int) -> None:
        sync(descriptor)
        calls.append(("fsync", str(Path(f"/proc/self/fd/{descriptor}").readlink())))

    def recorded_rename(source: Path, target: Path) -> None:
        rename(source, target)
        calls.append(("rename", str(target)))

    monkeypatch.setattr(os, "fsync", recorded_sync)
    monkeypatch.setattr(os, "rename", recorded_rename)
    storage = Storage(str(tmp_path / "store"), scratch=tmp_path / "scratch", entropy=SystemEntropy())
    with storage.writing("some/versions", "rows") as draft:
        pq.write_table(pa.table({"n": [1]}), draft.local)
    calls.append(("named", ""))

    final = str(storage.local(draft.ref))
    folder = tmp_path / "store" / "some" / "versions"
    assert calls == [
        ("fsync", str(tmp_path)),
        ("fsync", str(tmp_path / "store")),
        ("fsync", str(tmp_path / "store" / "some")),
        ("fsync", str(draft.local)),
        ("rename", final),
        ("fsync", str(folder)),
        ("named", ""),
    ]


@traced
def test_the_kernel_is_asked_for_the_same(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    trace = ["strace", "-f", "-y", "-o", str(log), "-e", "trace=fsync,rename,renameat,renameat2"]
    done = child(tmp_path, before=trace)
    if "ptrace" in done.stderr:
        pytest.skip("this machine allows no tracing")
    assert done.returncode == 0, done.stderr

    (path,) = named(tmp_path)
    lines = [line for line in log.read_text().splitlines() if str(path.parent) in line]
    calls = [re.sub(r"^\d+ +(\w+)\(.*", r"\1", line) for line in lines]
    assert [call.removesuffix("at2").removesuffix("at") for call in calls] == ["fsync", "rename", "fsync"]
    assert f"{path}.writing>" in lines[0]
    assert f"{path.parent}>" in lines[2]


@traced
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_disk_that_fails_to_sync_is_an_error_and_never_a_segment_that_counts(tmp_path: Path, nth: int) -> None:
    (tmp_path / "store").mkdir()
    trace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fsync", "-e", f"inject=fsync:error=EIO:when={nth}"]
    done = child(tmp_path, before=trace)
    if "ptrace" in done.stderr:
        pytest.skip("this machine allows no tracing")

    assert done.returncode == 1
    assert "StorageError: A segment could not be written: Input/output error" in done.stderr
    assert "No event names it" in done.stderr
