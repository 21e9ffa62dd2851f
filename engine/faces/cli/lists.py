"""Files of an operator's with one entry a line."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.errors import ConfigurationError


def listed(file: Path) -> list[str]:
    """The lines that are not blank, of a file or of standard input (``-``); raises `ConfigurationError`."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"The list cannot be read ({type(error).__name__})", where=str(file), next="give a text file in UTF-8"
        ) from None
    return [line for line in text.splitlines() if line.strip()]


def keys_of(file: Path) -> tuple[str, ...]:
    """Match keys of such a file, each once; raises `ConfigurationError` when it names none."""
    found = tuple(dict.fromkeys(listed(file)))
    if not found:
        raise ConfigurationError(
            "The list names no key", where=str(file), safe="Nothing was changed.", next="give one match key a line"
        )
    return found
