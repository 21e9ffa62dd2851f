"""What becomes of a value before it leaves: a form that platforms agree on, and then a hash of it.

Each platform matches people by hashes of values in its own form, so one form for all would match nobody. The rules are
those that the platforms publish; where a value can not be brought into the form it becomes null, for a hash of anything
else is a hash of somebody else or of nobody. All of it is Ibis, so a column is prepared set by set.

Sources: Google, `google-ads-datamanager-util` and the Customer Match formatting guidelines; Meta, the customer
information parameters of the Marketing API; Reddit, the custom audience guide; E.164 of the ITU.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import ibis
from ibis.expr.types import BooleanValue, Column, StringValue

from engine.core.canonical import text

RULES = 1
"""Raised when a rule below gives another form to some value: every sync that prepares values then compares everything."""

_SPACE = r"[\s\x{0B}\x{1C}-\x{1F}\x{85}\x{200B}\x{2060}\x{FEFF}\p{Z}]"
"""What counts as a space at the ends of a value: also what copying from a page leaves behind."""
_GMAIL = ("gmail.com", "googlemail.com")


class Normalisation(StrEnum):
    """A form; the suffix names the platform that asks for one of its own."""

    EXACT = "exact"
    """As it is."""
    EMAIL = "email"
    """Trimmed and lower case, with one ``@`` and no space inside."""
    EMAIL_GOOGLE = "email_google"
    """The same; at gmail.com and googlemail.com without dots and without what follows a ``+``."""
    EMAIL_REDDIT = "email_reddit"
    """The same at every domain."""
    PHONE = "phone"
    """E.164 with its ``+``; a number that does not say its country (``+`` or ``00``) has none."""
    PHONE_DIGITS = "phone_digits"
    """The same without the ``+``."""
    NAME = "name"
    """Lower case, without punctuation, single spaces."""
    NAME_GOOGLE = "name_google"
    """Lower case, single spaces."""
    CITY = "city"
    """Lower-case letters only."""
    REGION = "region"
    """Lower case, without punctuation and spaces."""
    POSTAL_CODE = "postal_code"
    """Lower case without spaces; of a US code the first five digits, of a UK code area, district and sector."""
    COUNTRY = "country"
    """Two lower-case letters of ISO 3166."""


class Hash(StrEnum):
    """How a value is hashed: lower-case hexadecimal of its UTF-8 bytes."""

    SHA256 = "sha256"


@dataclass(frozen=True, slots=True)
class Preparation:
    """A form, and whether only a hash of it leaves."""

    normalise: Normalisation = Normalisation.EXACT
    hash: Hash | None = None


AS_IT_IS = Preparation()


@ibis.udf.scalar.builtin(name="sha256")  # type: ignore[untyped-decorator]  # Ibis ships no types
def _sha256(value: str) -> str:  # type: ignore[empty-body]  # the body is the database's
    """The database's own function."""


def prepared(column: Column, preparation: Preparation) -> Column:
    """The value as it leaves: the column itself when nothing is asked, else text; null where there is no such form."""
    if preparation == AS_IT_IS:
        return column
    shaped = normalised(text(column), preparation.normalise)
    # All blanks have one hash, which would make one person of everybody who gave nothing.
    return shaped if preparation.hash is None else sha256_text(_some(shaped))


def sha256_text(value: StringValue) -> StringValue:
    """SHA-256 of a text in lower-case hexadecimal; null stays null."""
    return _sha256(value)


def lost(column: Column, preparation: Preparation) -> BooleanValue:
    """Whether more than blanks is there and has no such form."""
    return (trimmed(text(column)) != "").fill_null(False) & prepared(column, preparation).isnull()


def normalised(value: StringValue, how: Normalisation) -> StringValue:
    """``value`` in the form ``how``; null where it has none. Applied to its own result it changes nothing.

    But for `Normalisation.PHONE_DIGITS`, which takes away what says that a number is complete.
    """
    return _FORMS[how](value)


def _lower(value: StringValue) -> StringValue:
    return trimmed(value).lower()


def trimmed(value: StringValue) -> StringValue:
    """Without blanks at its ends, also those that nobody sees."""
    return value.re_replace(rf"^{_SPACE}+|{_SPACE}+$", "")


def _spaced(value: StringValue) -> StringValue:
    return trimmed(value.re_replace(rf"{_SPACE}+", " "))


def _some(value: StringValue) -> StringValue:
    return value.nullif("")


def _when(value: StringValue, pattern: str) -> StringValue:
    return value.re_search(pattern).ifelse(value, ibis.null("string"))


def _email(value: StringValue) -> StringValue:
    inner = r"[^@\s\x{0B}\x{1C}-\x{1F}\x{85}\x{200B}\x{2060}\x{FEFF}\p{Z}]+"
    return _when(_lower(value), rf"^{inner}@{inner}$")


def _email_of(value: StringValue, domains: tuple[str, ...] | None) -> StringValue:
    """An address whose local part is bared of dots and of what follows a ``+``, at some domains or at all."""
    address = _email(value)
    local, domain = address.re_extract("^([^@]*)@", 1), address.re_extract("@(.*)$", 1)
    bare = local.re_replace(r"\+.*$", "").replace(".", "").nullif("")
    bared = bare + ibis.literal("@") + domain
    return bared if domains is None else domain.isin(domains).ifelse(bared, address)


def _phone(value: StringValue) -> StringValue:
    """The digits of E.164 of a number in international form, which may hold spaces, dashes, dots, slashes and ``(0)``."""
    written = trimmed(value).replace("(0)", "")
    compact = written.re_replace(rf"[\p{{Pd}}./()]|{_SPACE}", "")
    return compact.re_extract(r"^(?:\+|00)([1-9][0-9]{6,14})$", 1).nullif("")


def _postal_code(value: StringValue) -> StringValue:
    code = _lower(value).re_replace(_SPACE, "")
    american = code.re_extract(r"^([0-9]{5})-?[0-9]{4}$", 1)
    british = code.re_extract(r"^([a-z]{1,2}[0-9][a-z0-9]?[0-9])[a-z]{2}$", 1)
    return _some(ibis.coalesce(american.nullif(""), british.nullif(""), code))


def _exact(value: StringValue) -> StringValue:
    return value


def _e164(value: StringValue) -> StringValue:
    return ibis.literal("+") + _phone(value)


def _name(value: StringValue) -> StringValue:
    return _some(_spaced(_lower(value).re_replace(r"[\p{P}\p{S}]", "")))


def _google_name(value: StringValue) -> StringValue:
    return _some(_spaced(_lower(value)))


def _city(value: StringValue) -> StringValue:
    return _some(_lower(value).re_replace(r"[^\p{L}\p{M}]", ""))


def _region(value: StringValue) -> StringValue:
    return _some(_lower(value).re_replace(rf"[\p{{P}}\p{{S}}]|{_SPACE}", ""))


def _country(value: StringValue) -> StringValue:
    return _when(_lower(value), r"^[a-z]{2}$")


_FORMS: Mapping[Normalisation, Callable[[StringValue], StringValue]] = MappingProxyType(
    {
        Normalisation.EXACT: _exact,
        Normalisation.EMAIL: _email,
        Normalisation.EMAIL_GOOGLE: lambda value: _email_of(value, _GMAIL),
        Normalisation.EMAIL_REDDIT: lambda value: _email_of(value, None),
        Normalisation.PHONE: _e164,
        Normalisation.PHONE_DIGITS: _phone,
        Normalisation.NAME: _name,
        Normalisation.NAME_GOOGLE: _google_name,
        Normalisation.CITY: _city,
        Normalisation.REGION: _region,
        Normalisation.POSTAL_CODE: _postal_code,
        Normalisation.COUNTRY: _country,
    }
)
