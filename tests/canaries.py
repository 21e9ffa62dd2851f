"""Marked values, one per secret and per class of personal data, and the search for them in whatever came out.

The spellings are made here and not by what the product redacts with, so that one does not share the other's blind spots.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote, quote_plus

SECRETS: Mapping[str, str] = MappingProxyType(
    {
        "webhook secret": "canary-webhook-secret-0123456789",
        "webhook secret before the rotation": "whsec_Y2FuYXJ5LXJvdGF0ZWQtc2VjcmV0LW9mLTMyLWI=",
        "header token": "Bearer canary.header/token+1==",
        "header token written in a file": "canary-inline-token-44",
        "password of a source": "canary-source-p@ss/1%",
        "password of a SQL destination": "canary-sql-p@ss:2#",
        "password of a ledger": "canary-ledger-p&ss=3",
        "client secret": "canary-client-secret-5",
        "access token": "canary-access-token-6",
        "refresh token": "canary-refresh-token-7",
        "variable that nobody names": "canary-unnamed-variable-8",
    }
)
PERSONAL: Mapping[str, str] = MappingProxyType(
    {
        "e-mail": "canary.mail+7f3a@example.org",
        "e-mail before": "canary.old+1b2c@example.org",
        "telephone": "+33 6 99 88 77 01",
        "name": "Canaryette Zoë-Ünique",
        "national id": "850730-CNRY-33061",
        "free text": 'he said "canary <b>note</b> €5" & left',
        "number": "7312049.37",
        "key": "CNRY-KEY-0042",
        "subject": "cnry-subject-0042",
        "receipt": "cnry-receipt-77",
        "origin of a decision": "canary-form-of-origin",
        "wrong value": "canary-not-a-date",
    }
)
MARKED: Mapping[str, str] = MappingProxyType({**SECRETS, **PERSONAL})


@dataclass(frozen=True, slots=True)
class Output:
    """Something that came out, and where."""

    place: str
    content: bytes


def hits(outputs: Iterable[Output], marked: Mapping[str, str] = MARKED) -> Iterator[str]:
    """A sentence for each marked value in each output: how it was spelled, and what stood around it."""
    forms = {what: spellings(value) for what, value in marked.items()}
    for output in outputs:
        folded = output.content.lower()
        for what, spelled in forms.items():
            for how, form in spelled.items():
                # Base64 knows case; whatever else may have been changed in case is compared without it.
                place = output.content.find(form) if how.startswith("base64") else folded.find(form.lower())
                if place >= 0:
                    around = output.content[max(0, place - 120) : place + len(form) + 40]
                    yield f"{what}, {how}, in {output.place}: {around!r}"
                    break


def spellings(value: str) -> dict[str, bytes]:
    """``value`` as it is, in addresses and forms, in JSON, Python and HTML, in hexadecimals, and in base64 at any place."""
    raw = value.encode()
    forms = {
        "as it is": value,
        "in an address": quote(value, safe=""),
        "in a path": quote(value),
        "in a form": quote_plus(value),
        "in JSON": json.dumps(value)[1:-1],
        "in JSON as UTF-8": json.dumps(value, ensure_ascii=False)[1:-1],
        "in a repr": repr(value)[1:-1],
        "in HTML": html.escape(value),
        "in hexadecimals": raw.hex(),
    }
    spelled = {how: text.encode() for how, text in forms.items()}
    for offset in range(3):
        # Only the characters that these bytes alone decide; the ones at the edges share bits with what stands beside.
        start, end = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
        for name, encode in (("base64", base64.b64encode), ("base64 for addresses", base64.urlsafe_b64encode)):
            spelled[f"{name} from byte {offset}"] = encode(b"\0" * offset + raw)[start:end]
    return spelled


def files(folder: Path, *allowed: str) -> Iterator[Output]:
    """Every file below ``folder`` but those whose path starts with one of ``allowed``."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(allowed):
            yield Output(name, name.encode() + b"\n" + path.read_bytes())
