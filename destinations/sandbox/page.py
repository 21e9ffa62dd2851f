"""The page that shows what the sandbox holds: one HTML text, no script, and every value escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from destinations.sandbox.exact_json import written
from destinations.sandbox.faults import Faults
from destinations.sandbox.store import Entry

SHOWN_LENGTH_MAX = 300
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;"
    "color:#1a1a1a;background:#fff}"
    "table{border-collapse:collapse;margin:0 0 2rem}th,td{text-align:left;padding:.2rem .9rem .2rem 0;"
    "border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:1.5rem 0 .3rem}"
    "@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#444}}"
)
POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
"""The Content-Security-Policy under which the page is shown: nothing but its own style."""


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows; ``answers`` are requests since the start by how they were answered."""

    counts: Mapping[str, int]
    newest: Sequence[Entry]
    faults: Faults
    answers: Mapping[str, int]


def page(view: View) -> bytes:
    """The page, in UTF-8."""
    parts = (
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Sandbox</title>',
        f"<style>{_STYLE}</style></head><body><h1>Sandbox</h1>",
        "<p>A fake CRM for trying things out. It keeps what it is sent, and shows it to whoever asks.</p>",
        _table("Objects", ("object", "records"), [(name, f"{n:,}") for name, n in view.counts.items()]),
        _table("Faults", ("fault", "left"), [_fault(fault.model_dump()) for fault in view.faults.faults]),
        _table("Batches since the start", ("answer", "count"), [(name, f"{n:,}") for name, n in view.answers.items()]),
        _table(
            "Newest records",
            ("order", "sync", "object", "op", "id", "outcome", "held now"),
            [(str(e.place), e.sync, e.object, e.op, e.id, e.outcome, e.fields or "nothing") for e in view.newest],
        ),
        "</body></html>",
    )
    return "\n".join(parts).encode()


def _fault(fault: dict[str, object]) -> tuple[str, str]:
    count = fault.pop("count")
    return written(fault).decode(), "until switched off" if count is None else str(count)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return f"<h2>{escape(title)}</h2><p>None.</p>"
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    return (
        f"<h2>{escape(title)}</h2><table><thead><tr>{_cells('th', columns)}</tr></thead><tbody>{body}</tbody></table>"
    )


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(_short(text))}</{tag}>" for text in texts)


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH_MAX else text[: SHOWN_LENGTH_MAX - 1] + "…"
