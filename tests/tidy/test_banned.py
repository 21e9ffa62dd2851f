"""What the tree must not hold: dangerous calls, unfinished business, and paths of somebody's machine."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.tidy.tree import PRODUCT, calls, files, name, python_files, tree

UNFINISHED = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
HOMES = re.compile(r"(?<![\w.~*-])/(?:home|Users|root)/\w")
SCRATCH = re.compile(r"(?<![\w.~*-])/(?:tmp|work)/\w")
PACKAGE_INDEX = re.compile(r"\b(?:pypi\.org|pythonhosted\.org|--index-url|--find-links)\b")

CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today", "time.time", "time.monotonic"}
"""Only ``engine/clock.py`` asks the machine for the time; everybody else is handed a clock."""
OWN_CLOCK = {
    "engine/clock.py",
    "destinations/sandbox.py",  # a program of its own, beside the engine
}
COMPILES = {
    "scripts/goals/planting.py",  # plants faults in a copy of our own code
}
SAFE_LOADERS = {"yaml.SafeLoader", "yaml.CSafeLoader"}


def _found(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{name(path)}:{number}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]


def test_nothing_is_left_to_be_finished_later() -> None:
    assert _found(UNFINISHED, list(files())) == []


def test_no_path_of_a_persons_machine_is_written_down() -> None:
    assert _found(HOMES, list(files())) == []


def test_no_scratch_path_stands_outside_the_tests() -> None:
    assert _found(SCRATCH, [path for path in files() if not name(path).startswith("tests/")]) == []


def test_no_package_index_is_named() -> None:
    assert _found(PACKAGE_INDEX, [path for path in files() if not name(path).startswith("tests/tidy/")]) == []


@pytest.mark.parametrize("path", python_files(*PRODUCT), ids=name)
def test_no_dangerous_call_is_made(path: Path) -> None:
    found = [f"line {node.lineno}: {called}" for called, node in calls(path) if _is_dangerous(path, called, node)]

    assert found == []


def _is_dangerous(path: Path, called: str, node: ast.Call) -> bool:
    said = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    if called == "compile":
        return name(path) not in COMPILES
    if called in {"eval", "exec", "os.system", "os.popen"}:
        return True
    if said.get("shell") == "True" or said.get("verify") == "False":
        return True
    if called in {"yaml.load", "yaml.load_all"}:
        loader = said.get("Loader") or (ast.unparse(node.args[1]) if len(node.args) > 1 else "")
        return loader not in SAFE_LOADERS | _safe_loaders(path)
    return called in CLOCKS and name(path) not in OWN_CLOCK


def _safe_loaders(path: Path) -> set[str]:
    """Classes of this file that extend a safe loader."""
    return {
        node.name
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and {ast.unparse(base) for base in node.bases} & SAFE_LOADERS
    }


def test_nothing_is_unpickled() -> None:
    importing = [
        name(path)
        for path in python_files(*PRODUCT)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and {"pickle", "dill", "cloudpickle", "marshal", "shelve"}
        & {getattr(node, "module", None), *(alias.name for alias in node.names)}
    ]

    assert importing == []


def test_no_except_catches_everything_without_naming_it() -> None:
    bare = [
        f"{name(path)}:{node.lineno}"
        for path in python_files(*PRODUCT, "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]

    assert bare == []
