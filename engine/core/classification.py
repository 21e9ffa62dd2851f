"""How sensitive a column is, in the project's own words, and what follows from that.

The words are ordered from least to most sensitive. A classification carries its rank, so that two of one project compare
without the project at hand; those of different projects are never compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Classification:
    """A word of the project's order; ``is_shown`` says whether people may see values that are so classified."""

    word: str
    rank: int
    is_shown: bool

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True, slots=True)
class Classifications:
    """A project's order, least sensitive first.

    ``unclassified`` is what a column is when its contract is silent, and ``silent_clearance`` what a destination may receive
    when its file is. ``hashed`` says what a column becomes when it is sent as a hash; a class that it does not name stays.
    """

    order: tuple[Classification, ...]
    unclassified: Classification
    silent_clearance: Classification
    hashed: Mapping[str, Classification] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(each.word for each in self.order)

    def of(self, word: str) -> Classification | None:
        """The classification that ``word`` stands for, or None for a word that the project does not have."""
        return next((each for each in self.order if each.word == word), None)

    def when_hashed(self, classification: Classification) -> Classification:
        """What a column counts as when only a hash of it leaves; never more than it is."""
        lowered = self.hashed.get(classification.word, classification)
        return lowered if lowered.rank < classification.rank else classification


USUAL_ORDER = ("public", "internal", "confidential", "restricted")
USUAL_WORD = "internal"
"""What a silent column is, a silent destination may receive and people may see, in an order that has this word."""


def classifications(
    order: Sequence[str] = USUAL_ORDER,
    *,
    unclassified: str | None = None,
    show_up_to: str | None = None,
    hashed: Mapping[str, str] | None = None,
) -> Classifications:
    """The order of a project, from words that are all in it.

    Where nothing is said and the order lacks `USUAL_WORD`, silence falls to the safe side: a silent column is of the most
    sensitive class, and a silent destination and people get the least sensitive one only.
    """
    least = USUAL_WORD if USUAL_WORD in order else order[0]
    most = USUAL_WORD if USUAL_WORD in order else order[-1]
    shown_rank = list(order).index(show_up_to or least)
    ranked = {word: Classification(word, rank, rank <= shown_rank) for rank, word in enumerate(order)}
    return Classifications(
        order=tuple(ranked.values()),
        unclassified=ranked[unclassified or most],
        silent_clearance=ranked[least],
        hashed=MappingProxyType({word: ranked[lower] for word, lower in (hashed or {}).items()}),
    )


USUAL = classifications()
"""The order of a project that says nothing of its own."""
INTERNAL = USUAL.unclassified
