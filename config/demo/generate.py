"""The demo shop's data: two states of its customers and of its consent register, equal on every machine.

A pure function of `SEED`: no clock, no locale, no hash order. Dates that must lie in the past or the future do so for
decades, so that consent means the same whenever the demo runs.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

SEED = 20_260_102
CUSTOMERS = 5_000
CUSTOMERS_FILE = "customers.parquet"
CONSENT_FILE = "consent.parquet"
EMAIL = "email_marketing"
SMS = "sms_marketing"

_OPENED = datetime(2023, 1, 1, tzinfo=UTC)
_FIRST_CLOSE = datetime(2025, 11, 1, tzinfo=UTC)
_SECOND_CLOSE = datetime(2025, 12, 1, tzinfo=UTC)
_LONG_AGO = datetime(2025, 6, 30, tzinfo=UTC)
_FAR_AHEAD = datetime(2199, 12, 31, tzinfo=UTC)

_FIRST_NAMES = (
    "Ada", "Zoë", "Bjørn", "Chloé", "D'Arcy", "Émile", "Fatima", "Grace", "Héctor", "İpek", "Jürgen", "Keiko",
    "Łukasz", "Márta", "Nguyễn", "Óscar", "Priya", "Quentin", "Renée", "Søren", "Tomáš", "Ursula", "Violeta",
    "Wēi", "Ximena", "Yara", "Žofia", "Maria da Luz", "Jean-Luc", "美咲", "Олена", "ليلى",
)  # fmt: skip
_LAST_NAMES = (
    "Lovelace", "O'Brien", "Müller", "García Márquez", "van der Berg", "Ångström", "Núñez", "Kowalska", "Smith",
    "N'Diaye", "Østergård", "Dvořák", "Şahin", "Haddad", "Tanaka", "Nakamura", "d'Angelo", "Silva", "Papadopoulou",
    "Ó Súilleabháin", "Ivanova", "Lindqvist", "Meyer-Lansky", "Chatterjee", "Wójcik", "Fernandes", "Zhang", "Kim",
)  # fmt: skip
_CITIES = (
    ("DE", "Köln"), ("FR", "Aix-en-Provence"), ("ES", "A Coruña"), ("PL", "Łódź"), ("BR", "São Paulo"),
    ("IE", "Dún Laoghaire"), ("CH", "Zürich"), ("US", "Coeur d'Alene"), ("JP", "東京"), ("TR", "İstanbul"),
    ("SE", "Malmö"), ("IN", "Bengaluru"), ("CI", "Yamoussoukro"), ("GB", "St Andrews"),
)  # fmt: skip
_NICKNAMES = ("Ally 🌊", 'Bob "the builder"', "C\\o", "👩‍👩‍👧 family", "Robert'); --", " padded ")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Customer:
    """One row of the customers table."""

    customer_id: int
    email: str | None
    first_name: str
    last_name: str | None
    country: str
    city: str | None
    lifetime_value: Decimal | None
    orders: int
    signup_date: date
    last_seen: datetime
    newsletter: bool | None


@dataclass(frozen=True, slots=True)
class Decision:
    """One row of the consent register; a later decision of a subject for a purpose replaces an earlier one."""

    receipt_id: str
    subject: str
    purpose: str
    status: str
    legal_basis: str
    collected_at: datetime
    expires_at: datetime | None
    source: str


@dataclass(frozen=True, slots=True)
class Shop:
    """What the shop's warehouse holds at one moment."""

    customers: tuple[Customer, ...]
    decisions: tuple[Decision, ...]


CUSTOMER_SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.int64(), nullable=False),
        ("email", pa.string()),
        ("first_name", pa.string()),
        ("last_name", pa.string()),
        ("country", pa.string()),
        ("city", pa.string()),
        ("lifetime_value", pa.decimal128(12, 2)),
        ("orders", pa.int64()),
        ("signup_date", pa.date32()),
        ("last_seen", pa.timestamp("us", tz="UTC")),
        ("newsletter", pa.bool_()),
    ]
)
DECISION_SCHEMA = pa.schema(
    [
        pa.field("receipt_id", pa.string(), nullable=False),
        ("subject", pa.string()),
        ("purpose", pa.string()),
        ("status", pa.string()),
        ("legal_basis", pa.string()),
        ("collected_at", pa.timestamp("us", tz="UTC")),
        ("expires_at", pa.timestamp("us", tz="UTC")),
        ("source", pa.string()),
    ]
)


class _Chance:
    """Randomness that only uses the one method whose sequence Python promises to keep for a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311  # data for a demo, not a secret

    def below(self, share: float) -> bool:
        return self._random.random() < share

    def number(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def one_of(self, values: Sequence[_T]) -> _T:
        return values[self.number(0, len(values) - 1)]

    def moment(self, low: datetime, high: datetime) -> datetime:
        """At or after ``low`` and before ``high``, to the microsecond."""
        return low + timedelta(microseconds=int(self._random.random() * ((high - low) // timedelta(microseconds=1))))


def shop(version: int) -> Shop:
    """The shop at its first (``1``) or second (``2``) state."""
    assert version in (1, 2), "the demo has two states"
    first = _first(_Chance(SEED))
    return first if version == 1 else _second(first, _Chance(SEED + 1))


def write(state: Shop, folder: Path) -> None:
    """Write both tables of ``state`` to ``folder``, over what stands there."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(_table(state.customers, CUSTOMER_SCHEMA), folder / CUSTOMERS_FILE, compression="zstd")
    pq.write_table(_table(state.decisions, DECISION_SCHEMA), folder / CONSENT_FILE, compression="zstd")


def _table(rows: Sequence[Customer] | Sequence[Decision], schema: pa.Schema) -> pa.Table:
    columns = [pa.array([getattr(row, field.name) for row in rows], field.type) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _first(chance: _Chance) -> Shop:
    customers = tuple(_customer(chance, id, _FIRST_CLOSE) for id in range(1, CUSTOMERS + 1))
    register = _Register(chance)
    for customer in customers:
        _ask(register, chance, customer, _FIRST_CLOSE)
    return Shop(customers, tuple(register.decisions))


def _customer(chance: _Chance, id: int, until: datetime) -> Customer:
    country, city = chance.one_of(_CITIES)
    signed_up = chance.moment(_OPENED, until)
    orders = 0 if chance.below(0.2) else chance.number(1, 40)
    return Customer(
        customer_id=id,
        email=None if chance.below(0.01) else f"customer{id}@shop.example",
        first_name=chance.one_of(_NICKNAMES) if chance.below(0.02) else chance.one_of(_FIRST_NAMES),
        last_name=None if chance.below(0.03) else chance.one_of(_LAST_NAMES),
        country=country,
        city=None if chance.below(0.05) else city,
        lifetime_value=None if orders == 0 else Decimal(orders * chance.number(500, 15_000)) / 100,
        orders=orders,
        signup_date=signed_up.date(),
        last_seen=chance.moment(signed_up, until),
        newsletter=None if chance.below(0.1) else chance.below(0.6),
    )


class _Register:
    """Decisions in order of collection, each with its own receipt."""

    def __init__(self, chance: _Chance, before: Sequence[Decision] = ()) -> None:
        self._chance = chance
        self.decisions = list(before)

    def add(self, customer: int, purpose: str, status: str, at: datetime, expires: datetime | None = None) -> None:
        decision = Decision(
            receipt_id=f"r-{len(self.decisions) + 1:06d}",
            subject=str(customer),
            purpose=purpose,
            status=status,
            legal_basis="consent",
            collected_at=at,
            expires_at=expires,
            source=self._chance.one_of(("checkout", "preference centre", "support")),
        )
        self.decisions.append(decision)


def _ask(register: _Register, chance: _Chance, customer: Customer, until: datetime) -> None:
    """What one customer said so far: most granted, some denied, changed their mind, let it lapse, or never answered."""
    id, at = customer.customer_id, chance.moment(_OPENED, until - timedelta(days=30))
    kind = chance.number(1, 100)
    if kind <= 70:
        register.add(id, EMAIL, "granted", at, _FAR_AHEAD if chance.below(0.3) else None)
    elif kind <= 78:
        register.add(id, EMAIL, "denied", at)
    elif kind <= 84:
        register.add(id, EMAIL, "granted", at)
        register.add(id, EMAIL, "withdrawn", at + timedelta(days=7))
    elif kind <= 88:
        register.add(id, EMAIL, "granted", at, max(_LONG_AGO, at + timedelta(days=1)))
    elif kind <= 90:
        register.add(id, EMAIL, "denied", at)
        register.add(id, EMAIL, "granted", at + timedelta(days=7))
    elif kind == 91:
        register.add(id, EMAIL, "granted", at)
        register.add(id, EMAIL, "denied", at)
    if chance.below(0.4):
        register.add(id, SMS, "granted" if chance.below(0.5) else "denied", at)


def _second(first: Shop, chance: _Chance) -> Shop:
    """A month later: some customers left, some came, some changed, and some changed their mind."""
    kept = tuple(_later(chance, customer) for customer in first.customers if not chance.below(0.015))
    new = tuple(_customer(chance, id, _SECOND_CLOSE) for id in range(CUSTOMERS + 1, CUSTOMERS + 151))
    register = _Register(chance, first.decisions)
    newest = {d.subject: d.status for d in first.decisions if d.purpose == EMAIL}
    for customer in kept:
        _change_of_mind(register, chance, customer.customer_id, newest.get(str(customer.customer_id)))
    for customer in new:
        _ask(register, chance, customer, _SECOND_CLOSE)
    return Shop((*kept, *new), tuple(register.decisions))


def _later(chance: _Chance, customer: Customer) -> Customer:
    """The same customer a month on: nothing new, a visit that no destination hears of, or a change that matters."""
    kind = chance.number(1, 1000)
    if kind <= 20:
        value = (customer.lifetime_value or Decimal(0)) + Decimal(chance.number(500, 20_000)) / 100
        customer = replace(customer, lifetime_value=value, orders=customer.orders + 1)
    elif kind <= 30:
        customer = replace(customer, email=f"customer{customer.customer_id}@new.example")
    elif kind <= 35:
        customer = replace(customer, last_name=None)
    elif kind <= 40:
        customer = replace(customer, city=None)
    elif kind <= 45:
        customer = replace(customer, newsletter=not customer.newsletter)
    elif kind > 150:
        return customer
    return replace(customer, last_seen=chance.moment(_FIRST_CLOSE, _SECOND_CLOSE))


def _change_of_mind(register: _Register, chance: _Chance, customer: int, status: str | None) -> None:
    at = chance.moment(_FIRST_CLOSE, _SECOND_CLOSE)
    if status == "granted" and chance.below(0.012):
        register.add(customer, EMAIL, "withdrawn", at)
    elif status != "granted" and chance.below(0.03):
        register.add(customer, EMAIL, "granted", at, _FAR_AHEAD)
