"""What a numeric goal is: how it is measured at any size, and what must hold of the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

Numbers: TypeAlias = Mapping[str, float]
"""What was counted or timed, by a name that says what it is and in which unit."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of a goal's full size is measured, from 0 to 1, and by which seed."""

    share: float = 1.0
    seed: int = 1

    def of(self, full: int) -> int:
        """The part of ``full`` cases that this effort takes; at least one."""
        return max(1, round(full * self.share))


@dataclass(frozen=True, slots=True)
class Goal:
    """``measure`` does the work; ``broken`` says in sentences what of its numbers must not be so.

    ``share`` is the part that runs with the tests.
    """

    id: str
    title: str
    measure: Callable[[Effort], Numbers]
    broken: Callable[[Numbers], list[str]]
    share: float = 0.1


def never(numbers: Numbers, *names: str) -> list[str]:
    """A sentence for each of these counts that is not zero."""
    return [f"{name} is {numbers[name]:g} and must be 0" for name in names if numbers[name]]
