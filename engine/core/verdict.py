"""What a gate decides, and how verdicts of several checks become one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from engine.core.events import CheckResult


class Verdict(StrEnum):
    """From harmless to final; the order of definition is the order of weight."""

    PASS = "pass"  # noqa: S105  # a verdict, not a password
    WARN = "warn"
    QUARANTINE = "quarantine"
    """Some rows are set aside; the others go on."""
    HOLD = "hold"
    BLOCK = "block"

    @property
    def stops(self) -> bool:
        """Whether what was judged must not go on by itself."""
        return self in {Verdict.HOLD, Verdict.BLOCK}


def worst(results: Iterable[CheckResult]) -> Verdict:
    """The heaviest verdict; `Verdict.PASS` for none."""
    order = list(Verdict)
    return max((Verdict(r.verdict) for r in results), key=order.index, default=Verdict.PASS)


def passed(check: str, message: str, metrics: Mapping[str, float] | None = None) -> CheckResult:
    """A check that is content."""
    return CheckResult(check, Verdict.PASS.value, message, metrics or {})


def warned(check: str, message: str, metrics: Mapping[str, float] | None = None) -> CheckResult:
    """A check that is told of and stops nothing."""
    return CheckResult(check, Verdict.WARN.value, message, metrics or {})


def blocked(check: str, message: str, metrics: Mapping[str, float] | None = None) -> CheckResult:
    """A check that stops what it judged."""
    return CheckResult(check, Verdict.BLOCK.value, message, metrics or {})


def failed(check: str, verdict: Verdict, message: str, metrics: Mapping[str, float] | None = None) -> CheckResult:
    """A check that is not content, with the action that was declared for it."""
    return CheckResult(check, verdict.value, message, metrics or {})


def stopping(results: Iterable[CheckResult]) -> list[CheckResult]:
    """What holds or blocks."""
    return [r for r in results if Verdict(r.verdict).stops]


def sentences(results: Iterable[CheckResult]) -> list[list[str]]:
    """What results say, without their numbers: equal when there is nothing to tell that was not told before."""
    return [[r.check, r.verdict, r.message] for r in results]


def reasons(results: Iterable[CheckResult]) -> str:
    """The sentences of everything that did not pass, for a run's ``reason``."""
    return "; ".join(r.message for r in results if r.verdict != Verdict.PASS.value)


def paired(words: Sequence[str], results: Sequence[CheckResult]) -> list[CheckResult]:
    """One result for each rule of a check: by place where there are as many, else by the words that results begin with."""
    if len(words) == len(results):
        return list(results)
    named = {word: result for word in words for result in results if result.message.startswith(word)}
    together = CheckResult(
        results[0].check, worst(results).value, "; ".join(result.message for result in results), results[0].metrics
    )
    if len(words) == 1 or not named:
        return [together] * len(words)
    return [named.get(word, passed(results[0].check, "")) for word in words]
