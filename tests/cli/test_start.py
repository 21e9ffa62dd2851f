"""The command answers at once: an overview imports nothing that does work."""

from __future__ import annotations

import json

import pytest

from tests.cli.door import python, tidegate

HEAVY = ("rich", "pydantic", "sqlalchemy", "duckdb", "pyarrow", "ibis", "httpx", "structlog", "yaml", "alembic")

MEASURED = """
import json, sys
from engine.faces.cli.main import main
try:
    main(["--help"])
except SystemExit as ended:
    assert ended.code == 0
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""

READY = """
import gc, json, sys
from click import Context
from engine.faces.cli.main import cli
assert cli.get_command(Context(cli), "run") is not None
assert gc.isenabled()
print(json.dumps(sorted(sys.modules)))
"""


def test_help_imports_little_and_nothing_heavy() -> None:
    ended = python(MEASURED)
    modules = json.loads(ended.err)
    assert ended.out.startswith("Usage: tidegate")
    assert [m for m in modules if m.split(".")[0] in HEAVY] == []
    assert [m for m in modules if m.startswith(("engine.service", "engine.core", "engine.bootstrap"))] == []
    assert len(modules) < 300  # 209 of them took 0.2 s of a processor; those of a run are 1,800


def test_a_command_loads_no_data_frames_and_leaves_nothing_to_be_said_at_its_end() -> None:
    ended = python(READY)
    assert "pyarrow" in json.loads(ended.out)
    assert "pandas" not in json.loads(ended.out)
    assert ended.err == ""


def test_help_survives_a_locale_and_a_terminal_that_can_do_nothing() -> None:
    ended = python(
        "from engine.faces.cli.main import main; main(['--help'])", LC_ALL="C", TERM="dumb", COLUMNS="1", PYTHONUTF8="0"
    )
    assert ended.code == 0
    assert "run" in ended.out
    assert ended.err == ""


def test_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    ended = tidegate(capsys, "--version")
    assert ended.code == 0
    assert ended.out.startswith("tidegate ")
    assert ended.out.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_error() -> None:
    script = """
import subprocess, sys
code = "from engine.faces.cli.main import main; from engine.faces.cli.output import write"
code += "; write('x' * 1_000_000); write('y' * 1_000_000); import sys; sys.exit(5)"
child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
child.stdout.read(10)
child.stdout.close()
print(child.stderr.read().decode(), child.wait())
"""
    assert python(script).out.strip() == "5"


def test_no_arguments_show_the_overview_and_end_as_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    ended = tidegate(capsys)
    assert ended.code == 2
    assert ended.err.startswith("Usage: tidegate")
    assert ended.out == ""
