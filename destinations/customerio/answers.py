"""What Customer.io's answers say of people, and what its refusals mean.

No sentence here quotes what Customer.io writes: its words may repeat values. A field is told only where it is one of those
that were sent. A success means that Customer.io took what it was sent into its queue, which is all it ever says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from destinations.base import Delivered, Outcomes, Refused, Rejected, Stop, Value
from destinations.http import NoAnswer

_REFUSED = (
    "refused",
    "Customer.io refuses it and names no field that was sent: compare the row with the person in Customer.io",
)
_REASONS = (
    (re.compile("require|missing|blank|empty"), "required", "`{}` is missing: fill it at the source"),
    (
        re.compile("long|large|length|size|exceed"),
        "too_long",
        "`{}` is longer than Customer.io takes: shorten it at the source",
    ),
)
"""What is known of the words in which a reason is told, the code that each gets, and the way out."""
_INVALID = (
    "invalid",
    "`{}` is no value that Customer.io takes: correct it at the source, or map a column of the type that it wants",
)
_PLACES = ("attributes.", "identifiers.")
_ELSEWHERE = "Customer.io sends the call to another region: write the region of the workspace into `region`"
_STOPS = {
    "http_401": "Customer.io refuses the credential: put the site id and the API key of the workspace's Track API into `login`",
    "http_403": "the credential may not write to the workspace: put the one of its Track API into `login`",
    "http_404": "there is no Track API at `url`: leave `url` out, or correct it",
    **dict.fromkeys(("http_301", "http_302", "http_307", "http_308"), _ELSEWHERE),
}


def told(ids: Sequence[str], names: AbstractSet[str], said: Mapping[str, Value], status: int) -> Outcomes | Refused:
    """What became of each person of a call: ``ids`` are those that were sent, in order.

    Raises for an answer that does not fit the call: what it says of anybody is not believed.
    """
    errors: Sequence[Mapping[str, Value]] = said.get("errors") or ()
    if status == 400:
        return Refused(*(_complaint(errors[0], names) if errors else _REFUSED))
    if "meta" in said or (status == 207 and not errors):
        raise ValueError("the answer neither takes the call nor says who is wrong in it")
    rejected = dict[str, Rejected]()
    for error in errors:
        place = error.get("batch_index")
        if place is None:
            # The others are taken, which does no harm when the halves of the call come again.
            return Refused(*_complaint(error, names))
        if type(place) is not int or not 0 <= place < len(ids):
            raise ValueError("the answer is about somebody who was not sent")
        rejected.setdefault(ids[place], Rejected(ids[place], *_complaint(error, names)))
    return Outcomes((*rejected.values(), *(Delivered(id) for id in ids if id not in rejected)))


def explained(meant: NoAnswer) -> NoAnswer:
    """What a status means that is no answer."""
    match meant:
        case Stop(code) if code in _STOPS:
            return replace(meant, message=f"{_STOPS[code]} ({code.removeprefix('http_')})")
        case Refused("http_413"):
            return Refused("too_large", "the call is larger than Customer.io takes: shorten what is mapped")
        case Refused():
            return Refused(*_REFUSED)
        case _:
            return meant


def _complaint(error: Mapping[str, Value], names: AbstractSet[str]) -> tuple[str, str]:
    """The code of an error, and one sentence with the field, where it is one that was sent, and the way out."""
    field, reason = str(error.get("field")), str(error.get("reason")).lower()
    for place in _PLACES:
        field = field.removeprefix(place)
    if field not in names:
        return _REFUSED
    code, sentence = next(((code, words) for form, code, words in _REASONS if form.search(reason)), _INVALID)
    return code, sentence.format(field)
