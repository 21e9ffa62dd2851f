"""Pydantic's errors as problems: file, line, keys and rule, without the value that was written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from config.interpolate import Interpolated
from config.locate import Data, Document
from config.problems import Code, KeyPath, Problem, did_you_mean, dotted

_WANTED = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "string_type": "text",
    "tuple_type": "a list",
}
_GIVEN = {
    bool: "true or false",
    dict: "a mapping",
    float: "a number",
    int: "a whole number",
    list: "a list",
    str: "text",
    type(None): "empty",
}
_BOUNDS = {
    "greater_than": (Code.OUT_OF_RANGE, "must be more than {gt}"),
    "greater_than_equal": (Code.OUT_OF_RANGE, "must be at least {ge}"),
    "less_than": (Code.OUT_OF_RANGE, "must be less than {lt}"),
    "less_than_equal": (Code.OUT_OF_RANGE, "must be at most {le}"),
    "string_too_long": (Code.OUT_OF_RANGE, "must not be longer than {max_length} characters"),
    "string_too_short": (Code.BAD_VALUE, "must not be empty"),
    "too_long": (Code.OUT_OF_RANGE, "must not have more than {max_length} entries"),
    "too_short": (Code.BAD_VALUE, "must have at least {min_length} entry"),
    "literal_error": (Code.BAD_VALUE, "must be {expected}"),
    "union_tag_invalid": (Code.BAD_VALUE, "must be one of {expected_tags}"),
}
QUOTED_LENGTH_MIN = 4
"""Shorter texts occur in any sentence."""
_PLAIN_KEY = re.compile(r"[A-Za-z_<$][\w<$.-]{0,63}")
_BAD_NAME = "must be a lower-case letter, then up to 62 lower-case letters, digits, `_` or `-`"


def problems_of(
    error: ValidationError, document: Document, data: Data, model: type[BaseModel], below: KeyPath = ()
) -> tuple[Problem, ...]:
    """One problem for each error of ``model``, which judged ``data``: what stands in ``document`` at ``below``."""
    details = error.errors(include_url=False, include_input=False)
    found = [_problem(detail, document, data, model, below) for detail in details]
    # Of a value that may be one of several things each is tried; that it is not the others is no news.
    judged = {p.path[:end] for p in found if p.code != Code.WRONG_TYPE for end in range(len(p.path) + 1)}
    return tuple(p for p in found if p.code != Code.WRONG_TYPE or p.path not in judged)


def _problem(detail: ErrorDetails, document: Document, data: Data, model: type[BaseModel], below: KeyPath) -> Problem:
    kind, context = detail["type"], detail.get("ctx", {})
    path = _written_path(detail["loc"], data)
    given = _at(data, path)
    if kind == "extra_forbidden":
        key = str(path[-1])
        shown = key if _PLAIN_KEY.fullmatch(key) else "…"  # a slip such as `{secret hunter2}` makes a key of a value
        hint = did_you_mean(key, _known_keys(model, path[:-1]))
        line, place = document.line((*below, *path)), (*below, *path[:-1], shown)
        return Problem(document.file, line, place, Code.UNKNOWN_KEY, f"unknown key `{dotted(place)}`", hint)
    if kind == "missing":
        hint = _description(model, path)
        return document.problem((*below, *path), Code.MISSING_KEY, f"`{dotted((*below, *path))}` is missing", hint)
    if kind == "union_tag_not_found":
        key = str(context["discriminator"]).strip("'")
        path = (*path, key)
        return document.problem((*below, *path), Code.MISSING_KEY, f"`{dotted((*below, *path))}` is missing")
    if context.get("key"):
        path = (*path, str(context["key"]))
    code, message, hint = _judged(kind, context, given)
    name = dotted((*below, *path))
    about = f"`{name}`" if name else "the file"
    text = f"{about}: {message}" if message.startswith("`") else f"{about} {message}"
    return document.problem((*below, *path), code, text, hint)


def _judged(kind: str, context: dict[str, Any], given: Data) -> tuple[str, str, str]:
    """Code, message and hint of an error that is about a value."""
    if isinstance(given, Interpolated) and kind in _WANTED:
        message = "cannot come from `${…}`: only secrets, paths and an adapter's `config` can"
        return Code.NOT_SECRET, message, "write it out"
    if kind in _WANTED:
        found = _GIVEN.get(type(given), "something else")
        hint = "put it in quotes" if kind == "string_type" and type(given) in {int, float, bool} else ""
        return Code.WRONG_TYPE, f"must be {_WANTED[kind]}, but is {found}", hint
    if kind in _BOUNDS:
        code, form = _BOUNDS[kind]
        return code, form.format(**context), ""
    if kind == "string_pattern_mismatch":
        return Code.BAD_NAME, _BAD_NAME, ""
    if "message" in context:
        return kind, str(context["message"]), ""
    said = str(context["error"]) if kind == "value_error" else ""
    return Code.BAD_VALUE, "is not valid" if not said or _quotes(said, given) else said, ""


def _quotes(message: str, given: Data) -> bool:
    """Whether an adapter's own words hold what was written: a value, or a key that is none."""
    match given:
        case SecretStr():
            return _quotes(message, given.get_secret_value())
        case str():
            return len(given) >= QUOTED_LENGTH_MIN and given in message
        case dict():
            slips = [key for key in given if not _PLAIN_KEY.fullmatch(str(key))]
            return any(_quotes(message, part) for part in (*slips, *given.values()))
        case list():
            return any(_quotes(message, part) for part in given)
        case _:
            return False


def _written_path(loc: tuple[int | str, ...], data: Data) -> KeyPath:
    """The part of pydantic's location that was written: it also names union members and marks keys."""
    path: list[int | str] = []
    steps = [step for step in loc if step != "[key]"]
    for index, step in enumerate(steps):
        inside = isinstance(data, dict) and step in data
        if inside or (isinstance(data, list) and isinstance(step, int) and step < len(data)):
            data = data[step]
            path.append(step)
        elif index == len(steps) - 1 and isinstance(data, dict) and " " not in str(step):
            path.append(step)
    return tuple(path)


def _at(data: Data, path: KeyPath) -> Data:
    for step in path:
        inside = (isinstance(data, dict) and step in data) or isinstance(data, list)
        data = data[step] if inside else None
    return data


def _known_keys(model: type[BaseModel], path: KeyPath) -> set[str]:
    return {key for node in _schemas_at(model, path) for key in node.get("properties", {})}


def _description(model: type[BaseModel], path: KeyPath) -> str:
    """What the model says of a key beside its type: the hint when it is missing."""
    for node in _schemas_at(model, path[:-1]):
        description = node.get("properties", {}).get(path[-1], {}).get("description")
        if description:
            return str(description)
    return ""


def _schemas_at(model: type[BaseModel], path: KeyPath) -> list[dict[str, Any]]:
    """The JSON Schema nodes that may describe the value at ``path``."""
    whole = model.model_json_schema()
    nodes = list(_members(whole, whole))
    for step in path:
        nodes = [member for node in nodes for child in _children(node, step) for member in _members(child, whole)]
    return nodes


def _members(node: dict[str, Any], whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A node with its reference followed and its alternatives taken apart."""
    if "$ref" in node:
        yield from _members(whole["$defs"][node["$ref"].rsplit("/", 1)[-1]], whole)
        return
    yield node
    for word in ("anyOf", "oneOf", "allOf"):
        for member in node.get(word, ()):
            yield from _members(member, whole)


def _children(node: dict[str, Any], step: str | int) -> Iterator[dict[str, Any]]:
    """What a node says of the value at one key or position; keys that follow a pattern share one schema."""
    named = node.get("items") if isinstance(step, int) else node.get("properties", {}).get(step)
    for inner in (named, node.get("additionalProperties"), *node.get("patternProperties", {}).values()):
        if isinstance(inner, dict):
            yield inner
