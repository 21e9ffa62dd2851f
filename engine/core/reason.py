"""The reason that a person gives for what is done about people: kept for ever in the ledger, so it may name nobody."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence

from engine.errors import ConfigurationError

LETTERS_MAX = 500
SHORT_NAME = 3
"""A name of so few letters is part of other words too, and is only looked for as a word of its own."""
_PUNCTUATION = ".,;:!?()[]<>\"'"
_NUMBER = re.compile(r"[+0-9][0-9 ()./-]{4,}[0-9]")
"""A telephone number is written in several words."""


def check_reason(
    reason: str, names_one: Callable[[Sequence[str]], bool], *, safe: str, where: str = "--reason"
) -> None:
    """Refuse a reason that names one of those whom it is about, or an address at all.

    ``names_one`` is told the words of the reason, each as it stands and without punctuation, its numbers of several words,
    and the whole of it.
    """
    if len(reason) > LETTERS_MAX:
        raise ConfigurationError(
            f"The reason is longer than {LETTERS_MAX} letters", where=where, safe=safe, next="say it shortly"
        )
    words = dict.fromkeys(word for part in reason.split() for word in (part, part.strip(_PUNCTUATION)))
    numbers = _NUMBER.findall(reason)
    if "@" in reason or names_one([*words, *numbers, reason]):
        raise ConfigurationError(
            "The reason names somebody, and it is kept for ever",
            where=where,
            safe=safe,
            next="say why without saying who, such as the number of the request",
        )


def naming(people: Collection[str]) -> Callable[[Sequence[str]], bool]:
    """Whether words, the last of which are all of them, name one of some people; a longer name also as part of a word."""
    folded = {person.casefold().strip() for person in people}

    def names_one(words: Sequence[str]) -> bool:
        said = [word.casefold() for word in words]
        return bool(folded & set(said)) or any(len(name) > SHORT_NAME and name in said[-1] for name in folded)

    return names_one
