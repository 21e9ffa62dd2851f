"""Adapter name to class: ours from a table, others from the entry-point group; each is imported when it is used."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points

from destinations.base import Destination

GROUP = "tidegate.destinations"
ADAPTERS = {
    "braze": "destinations.braze.adapter:Braze",
    "customerio": "destinations.customerio.adapter:CustomerIo",
    "http": "destinations.http_api.adapter:HttpApi",
    "hubspot": "destinations.hubspot.adapter:HubSpot",
    "salesforce": "destinations.salesforce.adapter:Salesforce",
    "sandbox": "destinations.sandbox.adapter:Sandbox",
    "sql": "destinations.sql.adapter:SqlTable",
    "webhook": "destinations.webhook:Webhook",
}


class UnknownAdapter(LookupError):
    """No installed adapter has this name."""


def names() -> tuple[str, ...]:
    """Every installed adapter."""
    return tuple(sorted({*ADAPTERS, *(point.name for point in entry_points(group=GROUP))}))


def adapter(name: str) -> type[Destination]:
    """The adapter's class; raises `UnknownAdapter` with the nearest name."""
    if name in ADAPTERS:
        module, _, attribute = ADAPTERS[name].partition(":")
        found: type[Destination] = getattr(import_module(module), attribute)
        return found
    for point in entry_points(group=GROUP, name=name):
        loaded: type[Destination] = point.load()
        return loaded
    near = get_close_matches(name, names(), n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"installed: {', '.join(names())}"
    raise UnknownAdapter(f"there is no adapter `{name}`; {hint}")
