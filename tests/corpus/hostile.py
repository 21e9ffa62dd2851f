"""The corpus as Python values, and ways to bend sound data with it."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
USUAL_HEADER = "subject,purpose,status,collected_at\n"


def items(name: str) -> list[dict[str, Any]]:
    """The cases of one file."""
    found: list[dict[str, Any]] = yaml.safe_load((HERE / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


@cache
def texts() -> tuple[str, ...]:
    """Every hostile text."""
    given = yaml.safe_load((HERE / "texts.yaml").read_text(encoding="utf-8"))["texts"]
    return tuple(text if isinstance(text, str) else text["repeat"] * text["times"] for text in given)


@cache
def values() -> tuple[Any, ...]:
    """Hostile texts, numbers and shapes; the very long ones are left out, for they would be written too often."""
    given = yaml.safe_load((HERE / "texts.yaml").read_text(encoding="utf-8"))["values"]
    return (*(text for text in texts() if len(text) <= 5000), *given)


def content(case: dict[str, Any]) -> bytes:
    """What a case of a list of decisions writes into its file."""
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    head = USUAL_HEADER if case.get("head") else ""
    text = head + case.get("repeat", "") * case.get("times", 1) + case["text"]
    return (b"\xef\xbb\xbf" if case.get("bom") else b"") + text.encode()


def bent(sound: Any, dice: random.Random) -> Any:
    """``sound`` data with one to three places replaced, removed, renamed or added to."""
    data = copy.deepcopy(sound)
    for _ in range(dice.randint(1, 3)):
        places = list(_places(data))
        holder, key = dice.choice(places)
        match dice.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[_misspelt(str(key), dice)] = holder.pop(key)
            case 2 if isinstance(holder, dict):
                holder[str(dice.choice(texts()))[:50]] = dice.choice(values())
            case _:
                holder[key] = copy.deepcopy(dice.choice(values()))
        if not list(_places(data)):
            return data
    return data


def bent_text(sound: bytes, dice: random.Random) -> bytes:
    """A file's bytes with one place spoilt."""
    at = dice.randrange(len(sound) + 1)
    match dice.randrange(8):
        case 0:
            return sound[:at]
        case 1:
            return sound[:at] + bytes([dice.randrange(256)]) + sound[at:]
        case 2:
            return sound[:at] + dice.choice(texts()).encode() + sound[at:]
        case 3:
            return sound.replace(b"  ", b"\t", 1)
        case 4:
            return sound.decode().encode(dice.choice(("utf-16", "utf-32", "utf-8-sig")))
        case 5:
            return sound[:at] + sound[at // 2 :]
        case 6:
            return (
                sound[:at]
                + dice.choice((b"&a ", b"*a", b"!!python/object:os.system ", b"--- ", b"? ", b"|", b">-", b"{", b"%"))
                + sound[at:]
            )
        case _:
            return sound.replace(b"\n", b"\r\n")


def _misspelt(word: str, dice: random.Random) -> str:
    at = dice.randrange(len(word) + 1)
    return dice.choice(
        (word[:at] + word[at + 1 :], word[:at] + "x" + word[at:], word.upper(), word.replace("_", "-"), word + " ")
    )


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield data, key
            yield from _places(value)
