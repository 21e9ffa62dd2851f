"""Whether the engine that will evaluate a pattern can read it.

Patterns run in RE2, whose time grows with the text alone, so no pattern of a contract can make a capture hang; what
RE2 lacks for that, such as look-ahead and back-references, is refused when the contract is read.
"""

from __future__ import annotations

import duckdb

PATTERN_CHARACTERS_MAX = 1_000


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern cannot be used, or None."""
    if not pattern or len(pattern) > PATTERN_CHARACTERS_MAX:
        return f"must have 1 to {PATTERN_CHARACTERS_MAX:,} characters"
    with duckdb.connect(":memory:", config={"enable_external_access": "false", "threads": 1}) as connection:
        try:
            connection.execute("SELECT regexp_matches('', $1)", [pattern])
        except duckdb.InvalidInputException as error:
            return "cannot be read: " + str(error).partition("Error: ")[2].partition(":")[0]
    return None
