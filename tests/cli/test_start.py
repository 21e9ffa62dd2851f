"""The command answers at once: an overview imports nothing that does work."""

from __future__ import annotations

import json

import pytest

from tests.cli.door import python, tidegate

HEAVY = ("rich", "pydantic", "sqlalchemy", "duckdb", "pyarrow", "ibis", "httpx", "structlog", "yaml", "alembic")

MEASURED = """
import json, sys, time
from engine.faces.cli.main import main
try:
    main(["--help"])
except SystemExit as ended:
    assert ended.code == 0
print(json.dumps({"seconds": time.process_time(), "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def test_help_takes_less_than_four_tenths_of_a_second_and_imports_nothing_heavy() -> None:
    ended = python(MEASURED)
    measured = json.loads(ended.err)
    assert ended.out.startswith("Usage: tidegate")
    assert [m for m in measured["modules"] if m.split(".")[0] in HEAVY] == []
    assert [m for m in measured["modules"] if m.startswith(("engine.service", "engine.core", "engine.bootstrap"))] == []
    assert measured["seconds"] < 0.4


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
