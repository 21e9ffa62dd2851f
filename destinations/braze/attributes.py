"""The attributes of users: those that every Braze has, those of a workspace, and names that mean something else."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from destinations.base import Field, Value
from destinations.braze.users import IDENTIFIERS

_TEXT = frozenset({"string", "time"})
_MOMENT = frozenset({"date", "timestamp"})
_TAKES = {
    "string": _TEXT,
    "number": frozenset({"integer", "number"}),
    "boolean": frozenset({"boolean"}),
    "date": _MOMENT,
    "time": _MOMENT,
}
"""What attributes of a type keep, by the first word of the type; Braze ignores values of another one without a word."""
_NESTED = frozenset({"array", "object"})
_STRINGS = ("email_subscribe", "first_name", "gender", "home_city", "language", "last_name", "phone", "push_subscribe")
_PROFILE = {
    **dict.fromkeys(("country", "email", *_STRINGS, "time_zone"), "string"),
    **dict.fromkeys(("date_of_first_session", "date_of_last_session", "dob", "marked_email_as_spam_at"), "date"),
    **dict.fromkeys(("email_click_tracking_disabled", "email_open_tracking_disabled"), "boolean"),
}
_OBJECTS = frozenset({"current_location", "facebook", "push_tokens", "subscription_groups", "twitter", "user_alias"})
_NOT_WRITTEN = frozenset({"bio", "push_token_import"})


def profile() -> list[Field]:
    """The fields of every user (user attributes object in Braze's reference); identifiers find users and are not written."""
    fields = [Field(name, kind, unique=name in IDENTIFIERS, takes=_TAKES[kind]) for name, kind in _PROFILE.items()]
    return fields + [Field(n, "string", read_only=True, unique=True) for n in IDENTIFIERS if n not in _PROFILE]


def custom(said: Mapping[str, Value]) -> Field:
    """An attribute of the workspace; one that is blocked keeps nothing, and a column is no array or object."""
    kind = str(said["data_type"]).lower()
    first = kind.split(" ")[0] if kind else ""
    is_closed = first in _NESTED or str(said.get("status") or "active").lower() != "active"
    return Field(said["name"], kind, read_only=is_closed, takes=_TAKES.get(first, frozenset()))


def cursor(answer: httpx.Response) -> str:
    """Where the next page begins, from the header ``Link``; empty at the end. Only the cursor of its address is used."""
    following = answer.links.get("next", {}).get("url", "")
    return str(httpx.URL(following).params.get("cursor", ""))


def problem(name: str) -> str:
    """Why a field of this name cannot be mapped; empty when it can."""
    if name in IDENTIFIERS and name != "email":
        return f"`{name}` finds users and is not written: take it out of `fields`"
    if name == "alias_label":
        return "`alias_label` stands in the destination's config: take it out of `fields`"
    if name in _OBJECTS:
        return f"`{name}` is an object or a list in Braze, which no column is: take it out of `fields`"
    if name in _NOT_WRITTEN or name.startswith("_"):
        return f"`{name}` means something else to Braze and is no attribute: give the attribute another name"
    return ""
