"""Whether a document is as OpenLineage's published schema wants it, by the rules that stand as data beside this file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

RULES = yaml.safe_load(Path(__file__).with_name("openlineage.yaml").read_text())


def problems(value: Any, kind: Any = "event", where: str = "event") -> Iterator[str]:
    """Every rule that ``value`` breaks."""
    if isinstance(kind, list):
        if not isinstance(value, list):
            yield f"{where} is no array"
            return
        for place, item in enumerate(value):
            yield from problems(item, kind[0], f"{where}[{place}]")
    elif isinstance(kind, dict):
        for name, item in value.items():
            yield from problems(item, kind["any"], f"{where}.{name}")
    elif kind in RULES and "one_of" in RULES[kind]:
        if value not in RULES[kind]["one_of"]:
            yield f"{where} is none of {RULES[kind]['one_of']}"
    elif kind in RULES:
        yield from _object(value, RULES[kind], where)
    elif not _SCALARS[kind](value):
        yield f"{where} is no {kind}"


def _object(value: Any, rule: dict[str, Any], where: str) -> Iterator[str]:
    known = {**rule["required"], **rule["optional"]}
    yield from (f"{where} has no {name}" for name in rule["required"] if name not in value)
    yield from (f"{where} has {name}" for name in value if name not in known or name in rule.get("never", ()))
    for name in value:
        if name in known:
            yield from problems(value[name], known[name], f"{where}.{name}")


_SCALARS = {
    "text": lambda value: isinstance(value, str),
    "truth": lambda value: isinstance(value, bool),
    "uri": lambda value: isinstance(value, str) and bool(urlsplit(value).scheme) and bool(urlsplit(value).path),
    "date-time": lambda value: datetime.fromisoformat(value).tzinfo is not None,
}
