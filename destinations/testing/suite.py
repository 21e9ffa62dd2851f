"""What an author says about an adapter, and the stage on which each test delivers to a fresh fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from destinations.base import Destination, Idempotency, Op, Value
from destinations.testing.fake import UNSUBSCRIBED, Fake, HttpFake
from destinations.testing.fake_jobs import JobsFake
from destinations.testing.faults import SPOILINGS, THROTTLINGS, Spoiled, Throttling
from destinations.testing.samples import KEYS, SAMPLES, Kind, rows, same
from engine.delivery.jobs import JobLog
from engine.delivery.rehearsal import Line, Rehearsal, rehearse

Records = Mapping[str, Mapping[Kind, Value]]
"""Fields by kind, by the id of the record."""

_OPEN = frozenset({"failed", "unknown", "unsent"})
_WRITES = (Op.UPSERT, Op.INSERT, Op.APPEND, Op.UPDATE)


class Suite:
    """The author's part: three names are needed, the rest says how the API differs from the usual."""

    adapter: ClassVar[type[Destination]]
    config: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """What the adapter's config model takes; give it secrets, for the suite looks for them where none may be."""
    fake: ClassVar[type[Fake]]

    object: ClassVar[str] = "contacts"
    match: ClassVar[str] = "id"
    """The field of the object that finds a record."""
    fields: ClassVar[Mapping[Kind, str]] = MappingProxyType({kind: kind.value for kind in Kind})
    """A field of the object for each kind of value that it can hold."""
    samples: ClassVar[Mapping[Kind, Sequence[Value]]] = SAMPLES
    keys: ClassVar[Sequence[str]] = KEYS
    """Values of the match key that the API must tell apart."""
    throttlings: ClassVar[Sequence[Throttling]] = THROTTLINGS
    spoilings: ClassVar[Sequence[Spoiled]] = SPOILINGS

    def stored(self, kind: Kind, value: Value) -> Value:
        """What the API holds when it was sent ``value``; other than the value itself only where its own docs say so."""
        del kind
        return value

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """One test for each kind, operation and vendor-specific fault."""
        cases: dict[str, Sequence[Any]] = {
            "kind": tuple(Kind),
            "op": sorted(self.adapter.spec.operations),
            "throttling": self.throttlings,
            "spoiling": self.spoilings,
        }
        for name, values in cases.items():
            if name in metafunc.fixturenames:
                metafunc.parametrize(name, values, ids=lambda v: str(getattr(v, "value", None) or v.name))

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Iterator[Stage]:
        """A fresh fake, and an adapter for it."""
        fake = self.fake(self.adapter.spec, tmp_path)
        yield Stage(self, fake)
        fake.close()


class Stage:
    """One fake, and deliveries to it."""

    def __init__(self, suite: Suite, fake: Fake) -> None:
        self.suite = suite
        self.fake = fake
        self.spec = suite.adapter.spec

    @property
    def api(self) -> HttpFake:
        """The fake as an API over HTTP; the test is skipped for an adapter that does not speak it."""
        if not isinstance(self.fake, HttpFake):
            pytest.skip("the adapter does not speak HTTP")
        return self.fake

    @property
    def jobs(self) -> JobsFake:
        """The fake as an API that takes batches as jobs; the test is skipped where none are made."""
        if self.spec.jobs is None:
            pytest.skip("the adapter submits no jobs")
        if not isinstance(self.fake, JobsFake):
            pytest.skip("the fake is no `JobsFake`: the API answers at once as it is configured here")
        return self.fake

    @property
    def write(self) -> Op:
        """An operation that brings a record into being, or changes one."""
        found = next((op for op in _WRITES if op in self.spec.operations), None)
        if found is None:
            pytest.skip("no operation brings a record into being")
        return found

    def made(self) -> Destination:
        """The adapter, new each time as in each run."""
        return self.suite.adapter(self.spec.config.model_validate(self.config()))

    def made_with(self, method: Callable[..., object]) -> Destination:
        """The adapter, where it brings its own form of an optional method of the base."""
        adapter = self.made()
        if getattr(type(adapter), method.__name__) is method:
            pytest.skip(f"the adapter has no `{method.__name__}`")
        return adapter

    def config(self) -> dict[str, Any]:
        """What the adapter is configured with."""
        return {**self.suite.config, **self.fake.config()}

    def people(self, count: int) -> dict[str, dict[Kind, Value]]:
        """Records without difficulties."""
        return {f"person{n}@example.com": self.one(f"Person {n}") for n in range(1, count + 1)}

    def one(self, text: str) -> dict[Kind, Value]:
        """The fields of a record without difficulties; ``text`` only where the object has a field for it."""
        kind = next(iter(self.suite.fields), None)
        if Kind.TEXT in self.suite.fields:
            return {Kind.TEXT: text}
        return {} if kind is None else {kind: self.suite.samples[kind][0]}

    def line(self, total_seconds: float = 5.0, attempts: int = 4, jobs: JobLog | None = None) -> Line:
        """The way to the fake; ``jobs`` keeps the ids of jobs from one delivery to the next."""
        wire = self.fake if isinstance(self.fake, HttpFake) else None
        return Line(wire, total_seconds, attempts, jobs)

    def deliver(
        self, records: Records, op: Op | None = None, *, plan: str = "plan-1", line: Line | None = None
    ) -> Rehearsal:
        """Send records as a run would; the fake must find nothing wrong with any call."""
        op = op or self.write
        if op is Op.UPDATE:
            self._seed(records)
        named = {id: self._named(fields) for id, fields in records.items()}
        ended = rehearse(
            self.made(), rows(op, self.suite.match, named), line or self.line(), object=self.suite.object, plan=plan
        )
        assert self.fake.complaints == []
        return ended

    def assert_delivered(self, records: Records, ended: Rehearsal) -> None:
        """Every record was reported as delivered, and is held."""
        assert {id: (one.outcome, one.code, one.message) for id, one in ended.others.items()} == {}
        self.assert_held(records)

    def assert_all_but(self, bad: str, records: Records, ended: Rehearsal) -> None:
        """One record was rejected, and not touched; all others were delivered."""
        assert {id: one.outcome for id, one in ended.others.items()} == {bad: "rejected"}
        self.assert_held({id: fields for id, fields in records.items() if id != bad} | self.untouched(bad))

    def assert_open(self, ids: AbstractSet[str], ended: Rehearsal) -> None:
        """These records are still owed: they are neither called delivered nor given up."""
        assert {ended.others[id].outcome if id in ended.others else "delivered" for id in ids} <= _OPEN

    def assert_once(self, records: Records, ended: Rehearsal) -> None:
        """Every record was delivered and is held, and no call had an effect a second time."""
        self.assert_delivered(records, ended)
        if isinstance(self.fake, HttpFake) and self.spec.idempotency is not Idempotency.NATURAL:
            assert {id: count for id, count in self.fake.effects.items() if count > 1} == {}, "a second effect"

    def unsubscribed(self) -> set[str]:
        """The records that an unsubscribe reached, and that nothing wrote since."""
        return {id for id, fields in self.fake.held().items() if fields.get(UNSUBSCRIBED)}

    def untouched(self, id: str) -> dict[str, dict[Kind, Value]]:
        """What is held of a record that was not applied: an update needs one that was there before."""
        return {id: {}} if self.write is Op.UPDATE else {}

    def needs_repeats(self) -> None:
        """Skip the test where a call cannot be repeated without harm."""
        if self.spec.idempotency is Idempotency.NONE:
            pytest.skip("the API honours no key and repeats have effects: what is in doubt stays in doubt")

    def assert_held(self, records: Records) -> None:
        """The fake holds these records and no others, with these values in these fields; null is as good as absent."""
        held = self.fake.held()
        assert sorted(held) == sorted(records), "other records are held than were sent"
        for id, fields in records.items():
            for kind, value in fields.items():
                wanted = None if value is None else self.suite.stored(kind, value)
                found = held[id].get(self.suite.fields[kind])
                assert same(found, wanted), f"{id!r} holds {found!r} where {wanted!r} was sent"

    def secrets(self) -> tuple[str, ...]:
        """The secret texts of the adapter's config."""
        found = tuple(_secrets(self.spec.config.model_validate(self.config())))
        if not found:
            pytest.skip("the config holds no secret")
        return found

    def _seed(self, records: Records) -> None:
        for id in records:
            if id not in self.fake.held():
                self.fake.put(id, {})

    def _named(self, fields: Mapping[Kind, Value]) -> dict[str, Value]:
        return {self.suite.fields[kind]: value for kind, value in fields.items()}


def _secrets(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case SecretBytes():
            yield value.get_secret_value().decode("utf-8", "backslashreplace")
        case BaseModel():
            for name in type(value).model_fields:
                yield from _secrets(getattr(value, name))
        case Mapping():
            for member in value.values():
                yield from _secrets(member)
        case list() | tuple() | set() | frozenset():
            for member in value:
                yield from _secrets(member)
        case _:
            pass
