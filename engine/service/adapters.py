"""What the installed adapters can do, as their specs say it."""

from __future__ import annotations

from dataclasses import dataclass

from destinations.base import Op, Rate, Spec
from destinations.registry import UnknownAdapter, adapter, names
from engine.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a destination file's ``config``."""

    name: str
    required: bool
    default: str
    """As it would be written; empty where there is none."""


@dataclass(frozen=True, slots=True)
class AdapterReport:
    """An adapter as its spec has it; ``records`` and ``bytes`` are the most that one call carries."""

    name: str
    title: str
    operations: tuple[str, ...]
    records: int
    bytes: int
    rate: str
    match: str
    idempotency: str
    jobs: bool
    resubscribes: bool
    undo: str
    erasure: str
    docs: str
    config: tuple[Key, ...]


def adapters() -> list[AdapterReport]:
    """Every installed adapter, ours and those of entry points."""
    return [_report(adapter(name).spec) for name in names()]


def describe(name: str) -> AdapterReport:
    """One of them; raises `ConfigurationError` with the nearest name."""
    try:
        return _report(adapter(name).spec)
    except UnknownAdapter as error:
        what, _, hint = str(error).partition("; ")
        raise ConfigurationError(what[0].upper() + what[1:], safe="Nothing was started.", next=hint) from None


def _report(spec: Spec) -> AdapterReport:
    return AdapterReport(
        name=spec.name,
        title=spec.title,
        operations=tuple(op.value for op in Op if op in spec.operations),
        records=spec.limits.records,
        bytes=spec.limits.bytes,
        rate=_rate(spec.limits.rate, spec.limits.concurrency),
        match=_match(spec),
        idempotency=spec.idempotency.value,
        jobs=spec.jobs is not None,
        resubscribes=spec.resubscribes,
        undo=spec.undo,
        erasure=spec.erasure,
        docs=spec.docs,
        config=tuple(
            Key(
                field.alias or name,
                field.is_required(),
                "" if field.is_required() or field.default is None else str(field.default),
            )
            for name, field in spec.config.model_fields.items()
        ),
    )


def _rate(rate: Rate | None, concurrency: int) -> str:
    if rate is None:
        return f"{concurrency} calls at once"
    return f"{rate.requests:g} calls per {rate.per_seconds:g} s, {rate.concurrency} at once"


def _match(spec: Spec) -> str:
    keys = " or ".join(f"`{key}`" for key in spec.match_keys) or "any field"
    return f"{keys}, or several together" if spec.composite_match else keys
