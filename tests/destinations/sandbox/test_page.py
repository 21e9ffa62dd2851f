"""The sandbox's page shows what it holds as text, whatever that is, and nothing in it can run or load."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.destinations.sandbox.visitor import Visitor, delete, other, upsert

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></table><h1>owned</h1>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style><style>*{display:none}</style>",
    "<!-- ",
    "]]>",
    "&lt;b&gt; &amp;amp;",
    "javascript:alert(1)",
    "{{7*7}}${7*7}",
    "\u202egnp.exe",
    "\x00\x1b[31m\r\n",
]


class Read(HTMLParser):
    """The tables of a page, by the heading above them, and every tag and attribute that it has."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.style = ""
        self._in: list[str] = []
        self._title = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "meta":
            self._in.append(tag)
        if tag == "h2":
            self._title = ""
        elif tag == "tr":
            self.tables[self._title].append([])
        elif tag in {"td", "th"}:
            self.tables[self._title][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._in.pop() == tag, "what is opened last is closed first"
        if tag == "h2":
            self.tables[self._title] = []

    def handle_data(self, data: str) -> None:
        match self._in[-1:]:
            case ["h2"]:
                self._title += data
            case ["td"] | ["th"]:
                self.tables[self._title][-1][-1] += data
            case ["style"]:
                self.style += data


def read(sandbox: Visitor) -> Read:
    return Read(sandbox.page.text)


def rows(sandbox: Visitor, title: str) -> list[list[str]]:
    """The rows of a table under its names."""
    return read(sandbox).tables[title][1:]


def test_an_empty_sandbox_says_that_there_is_nothing(sandbox: Visitor) -> None:
    assert sandbox.page.headers["content-type"] == "text/html; charset=utf-8"
    assert read(sandbox).tables == {
        "Objects": [],
        "Faults": [],
        "Batches since the start": [],
        "Newest records": [],
    }
    assert sandbox.page.text.count("None.") == 4


def test_the_page_shows_what_is_held_what_came_and_what_was_answered(sandbox: Visitor) -> None:
    sandbox.send(*(upsert(str(n), n=n) for n in range(300)), key="k1")
    sandbox.send(upsert("a", name="Zoë"), object="leads", key="k2")
    sandbox.send(other("update", "nobody"), delete("0"), key="k3")
    sandbox.post(b"{")
    sandbox.switch({"kind": "throttle", "count": 2}, {"kind": "reject", "ids": ["7"]})
    sandbox.send(upsert("late"), key="k4")

    assert rows(sandbox, "Objects") == [["contacts", "299"], ["leads", "1"]]
    assert rows(sandbox, "Batches since the start") == [["200", "3"], ["400", "1"], ["429", "1"]]
    assert [(name.split(",")[0], left) for name, left in rows(sandbox, "Faults")] == [
        ('{"kind":"throttle"', "1"),
        ('{"kind":"reject"', "until switched off"),
    ]
    newest = rows(sandbox, "Newest records")
    assert newest[:3] == [
        ["303", "s", "contacts", "delete", "0", "delivered", "nothing"],
        ["302", "s", "contacts", "update", "nobody", "rejected", "nothing"],
        ["301", "s", "leads", "upsert", "a", "delivered", '{"name":"Zoë"}'],
    ]
    assert len(newest) == 25


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_value_is_shown_as_text_wherever_it_stands(sandbox: Visitor, text: str) -> None:
    before = read(sandbox).tags
    sandbox.send(upsert(f"id {text}", **{f"name {text}": f"value {text}"}), sync=text, object=f"object {text}")
    sandbox.switch({"kind": "reject", "field": text, "equals": text, "code": text, "message": text})

    page = read(sandbox)

    (shown,) = page.tables["Newest records"][1:]
    assert page.tags - before <= {"table", "thead", "tbody", "tr", "td", "th"}
    assert page.attributes <= {"lang", "charset"}
    if text.isprintable():
        assert (shown[1], shown[2], shown[4]) == (text, f"object {text}", f"id {text}")
        assert page.tables["Objects"][1:] == [[f"object {text}", "1"]]
    assert page.tables["Faults"][1][0].startswith('{"kind":"reject"')


def test_a_value_that_is_long_or_there_many_times_makes_no_long_page(sandbox: Visitor) -> None:
    long: dict[str, Any] = {"f": "<" * 1_000_000}
    sandbox.send(*(upsert(f"{n}{'&' * 1_900}", **long) for n in range(3)))

    assert len(sandbox.page.content) < 50_000


def test_the_policy_allows_the_pages_own_style_and_nothing_else(sandbox: Visitor) -> None:
    policy = dict(part.strip().split(" ", 1) for part in sandbox.page.headers["content-security-policy"].split(";"))
    digest = base64.b64encode(hashlib.sha256(read(sandbox).style.encode()).digest()).decode()

    assert policy == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "style-src": f"'sha256-{digest}'",
    }


def test_the_page_loads_and_links_nothing(sandbox: Visitor) -> None:
    sandbox.send(upsert("1"))

    assert read(sandbox).tags.isdisjoint({"script", "img", "link", "iframe", "a", "form", "object"})
    assert not re.search(r"https?:|url\(|@import", sandbox.page.text)
