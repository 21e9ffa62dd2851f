"""Rules of ARCHITECTURE.md that a reader of one file cannot see: who imports whom, when, and how long things are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from tests.tidy.tree import PRODUCT, ROOT, calls, functions, name, python_files

FILE_LINES_MAX = 300
FUNCTION_LINES_MAX = 60

LONGER = {
    "destinations/base.py": 400,  # the whole of what an author must know, on one page
}
"""Files (``path``) and functions (``path:name``) that may be longer, with a comment that says why."""

LATE_IMPORTS = {
    "engine/faces/cli/group.py",  # the table of commands, so that `tidegate --help` imports none of them
    "destinations/registry.py",  # the table of adapters, so that a project imports only those it uses
    "engine/sources/registry.py",  # the table of sources, for the same reason
    "scripts/goals/registry.py",  # the table of goals, some of which load much
}


def test_the_import_contracts_of_pyproject_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")

    result = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout


def test_imports_stand_at_the_top_of_a_file() -> None:
    late = [
        f"{name(path)}:{node.lineno}"
        for path in python_files(*PRODUCT)
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert late == []


def test_only_the_group_and_the_registries_import_by_name() -> None:
    importing = {
        name(path)
        for path in python_files(*PRODUCT)
        for called, _ in calls(path)
        if called in {"__import__", "importlib.import_module", "import_module", "importlib.__import__"}
    }

    assert importing <= LATE_IMPORTS


def test_files_are_one_subject_long() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(*PRODUCT)}

    assert {n: lines for n, lines in lengths.items() if lines > LONGER.get(n, FILE_LINES_MAX)} == {}


def test_functions_fit_on_a_screen() -> None:
    lengths = {
        f"{name(path)}:{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in python_files(*PRODUCT)
        for function in functions(path)
    }

    assert {n: lines for n, lines in lengths.items() if lines > LONGER.get(n, FUNCTION_LINES_MAX)} == {}


def test_every_module_of_the_product_says_what_it_owns() -> None:
    silent = [
        name(path)
        for path in python_files(*PRODUCT)
        if path.read_text(encoding="utf-8").strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]

    assert silent == []
