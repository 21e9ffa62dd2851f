"""The checkout as these tests read it: files by kind, and Python files as syntax trees."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("engine", "destinations", "config", "migrations", "scripts")
_SKIPPED = {".git", ".venv", "dist", "build", "__pycache__", "node_modules"}
_TEXT = {".cfg", ".ini", ".lock", ".mako", ".md", ".py", ".sh", ".sql", ".toml", ".txt", ".yaml", ".yml", ""}


def files(*folders: str) -> Iterator[Path]:
    """Text files of the checkout below ``folders`` (all of it for none); tool caches and binaries are left out."""
    for start in [ROOT / folder for folder in folders] or [ROOT]:
        for path in sorted(start.rglob("*")):
            parts = path.relative_to(ROOT).parts
            if not path.is_file() or path.suffix not in _TEXT or _SKIPPED.intersection(parts):
                continue
            if any(part.startswith(".") and part not in {".ci", ".gitignore"} for part in parts):
                continue
            yield path


def name(path: Path) -> str:
    """A path as these tests show it: below the checkout, with forward slashes."""
    return path.relative_to(ROOT).as_posix()


def python_files(*folders: str) -> list[Path]:
    return [path for path in files(*folders) if path.suffix == ".py"]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the dotted name of what is called, as far as it has one."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node
