"""YAML text becomes plain data that knows its lines, or one problem with a line; nothing else happens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.locate import Document, Unreadable, read_document
from config.problems import Problem


def read(text: str) -> Document:
    return read_document("x.yaml", text.encode())


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"), ("on", "on"), ("Yes", "Yes"), ("2024-02-30", "2024-02-30"), ("12:30:45", "12:30:45"),
        ("true", True), ("FALSE", False), ("~", None), ("null", None), ("", None),
        ("012", 12), ("0o17", 15), ("0x1F", 31), ("-7", -7), ("1_000", "1_000"),
        ("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("'1'", "1"), ('"true"', "true"), ("=", "="), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(written: str, value: object) -> None:
    found = read(f"key: {written}\n").data["key"]
    assert found == value
    assert type(found) is type(value)


def test_every_key_and_item_knows_its_line() -> None:
    document = read("# a comment\na:\n  b: [1,\n      {c: 2}]\nd: |\n  text\ne: 3\n")
    assert document.data == {"a": {"b": [1, {"c": 2}]}, "d": "text\n", "e": 3}
    assert document.line(("a",)) == 2
    assert document.line(("a", "b", 1, "c")) == 4
    assert document.line(("e",)) == 7


def test_a_path_that_was_not_written_has_the_line_of_the_key_above_it() -> None:
    document = read("a: 1\nb:\n  c: 2\n")
    assert document.line(("b", "missing", 3)) == 2
    assert document.line(("missing",)) == 1


def test_a_tab_inside_a_query_is_text() -> None:
    assert read("query: |\n  select\n  \t1\n").data["query"] == "select\n\t1\n"


def test_a_document_shows_none_of_its_data() -> None:
    assert "planted" not in repr(read("a: planted\n"))


@given(st.binary(max_size=300) | st.text(alphabet="ab:-[]{}&*!#|>'\"%@`,? \n\t\r0.~", max_size=200).map(str.encode))
def test_any_bytes_give_a_document_or_one_problem(content: bytes) -> None:
    try:
        found: Document | Problem = read_document("x.yaml", content)
    except Unreadable as error:
        found = error.problem
    assert found.file == "x.yaml"
    assert isinstance(found.data, dict) if isinstance(found, Document) else found.message
