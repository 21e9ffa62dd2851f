"""What the demo must find, by set arithmetic over the generated rows and without the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config.demo.generate import EMAIL, Customer, Decision, Shop

Contacts = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Expected:
    """Counts of one plan."""

    inserts: int
    updates: int
    deletes: int
    unchanged: int
    withheld: int


def agreed(shop: Shop, now: datetime) -> set[str]:
    """Subjects whose newest decision grants and has not expired; of two at one moment the refusal counts."""
    newest: dict[str, Decision] = {}
    for decision in (d for d in shop.decisions if d.purpose == EMAIL):
        other = newest.get(decision.subject)
        if other is None or _rank(decision) > _rank(other):
            newest[decision.subject] = decision
    return {
        subject
        for subject, decision in newest.items()
        if decision.status == "granted" and (decision.expires_at is None or decision.expires_at > now)
    }


def _rank(decision: Decision) -> tuple[datetime, bool]:
    return decision.collected_at, decision.status != "granted"


def contacts(shop: Shop, now: datetime) -> Contacts:
    """The contacts that the CRM should hold, as JSON values; a city that is not known is not part of one."""
    subjects = agreed(shop, now)
    return {str(c.customer_id): _contact(c) for c in shop.customers if str(c.customer_id) in subjects}


def _contact(customer: Customer) -> dict[str, Any]:
    fields = {
        "email": customer.email,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "country": customer.country,
        "ltv": None if customer.lifetime_value is None else float(customer.lifetime_value),
        "customer_since": customer.signup_date.isoformat(),
        "newsletter": customer.newsletter,
    }
    return fields if customer.city is None else {**fields, "city": customer.city}


def expected(held: Contacts, wanted: Contacts, rows: int) -> Expected:
    """Counts of the plan that turns ``held`` into ``wanted``."""
    both = held.keys() & wanted.keys()
    updates = {id for id in both if wanted[id].items() - held[id].items()}
    return Expected(
        inserts=len(wanted.keys() - held.keys()),
        updates=len(updates),
        deletes=len(held.keys() - wanted.keys()),
        unchanged=len(both) - len(updates),
        withheld=rows - len(wanted),
    )


def afterwards(held: Contacts, wanted: Contacts) -> Contacts:
    """What the CRM holds after that plan: a field that is not part of an update keeps its value."""
    return {id: {**held.get(id, {}), **fields} for id, fields in wanted.items()}
