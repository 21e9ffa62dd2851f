"""The forms of values as plain Python, written from what the platforms publish and not from the expressions."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping

from engine.core.preparation import Normalisation

BLANKS = "\u200b\u2060\ufeff"
"""What is no space to Python and is left behind by copying from a page."""


def sha256(value: str | None) -> str | None:
    return None if not value else hashlib.sha256(value.encode()).hexdigest()


def is_space(letter: str) -> bool:
    return letter.isspace() or letter in BLANKS


def trimmed(value: str) -> str:
    while value and is_space(value[0]):
        value = value[1:]
    while value and is_space(value[-1]):
        value = value[:-1]
    return value


def lower(value: str) -> str:
    """Letter by letter, which leaves out what only whole words know (a final sigma)."""
    return "".join("i" if letter == "\u0130" else letter.lower() for letter in value)


def without(value: str, *kinds: str) -> str:
    return "".join(letter for letter in value if unicodedata.category(letter)[0] not in kinds)


def spaced(value: str) -> str:
    return trimmed(re.sub(" +", " ", "".join(" " if is_space(letter) else letter for letter in value)))


def unspaced(value: str) -> str:
    return "".join(letter for letter in value if not is_space(letter))


def email(value: str) -> str | None:
    address = lower(trimmed(value))
    local, at, domain = address.partition("@")
    bad = "@" in domain or any(is_space(letter) for letter in address)
    return None if bad or not (local and at and domain) else address


def bare_email(value: str, *domains: str) -> str | None:
    address = email(value)
    if address is None:
        return None
    local, _, domain = address.partition("@")
    if domains and domain not in domains:
        return address
    local = local.split("+")[0].replace(".", "")
    return f"{local}@{domain}" if local else None


def phone(value: str) -> str | None:
    text = trimmed(value).replace("(0)", "")
    text = "".join(c for c in text if c not in "./()" and not is_space(c) and unicodedata.category(c) != "Pd")
    digits = text[1:] if text[:1] == "+" else text[2:] if text[:2] == "00" else ""
    is_number = all(c in "0123456789" for c in digits) and 7 <= len(digits) <= 15 and digits[0] != "0"
    return "+" + digits if digits and is_number else None


def postal_code(value: str) -> str | None:
    code = unspaced(lower(value))
    if re.fullmatch(r"[0-9]{5}-?[0-9]{4}", code):
        return code[:5]
    if re.fullmatch(r"[a-z]{1,2}[0-9][a-z0-9]?[0-9][a-z]{2}", code):
        return code[:-2]
    return code or None


def country(value: str) -> str | None:
    code = lower(trimmed(value))
    return code if re.fullmatch("[a-z]{2}", code) else None


FORMS: Mapping[Normalisation, Callable[[str], str | None]] = {
    Normalisation.EXACT: lambda value: value,
    Normalisation.EMAIL: email,
    Normalisation.EMAIL_GOOGLE: lambda value: bare_email(value, "gmail.com", "googlemail.com"),
    Normalisation.EMAIL_REDDIT: bare_email,
    Normalisation.PHONE: phone,
    Normalisation.PHONE_DIGITS: lambda value: (phone(value) or "")[1:] or None,
    Normalisation.NAME: lambda value: spaced(without(lower(value), "P", "S")) or None,
    Normalisation.NAME_GOOGLE: lambda value: spaced(lower(value)) or None,
    Normalisation.CITY: lambda value: "".join(c for c in lower(value) if unicodedata.category(c)[0] in "LM") or None,
    Normalisation.REGION: lambda value: unspaced(without(lower(value), "P", "S")) or None,
    Normalisation.POSTAL_CODE: postal_code,
    Normalisation.COUNTRY: country,
}
