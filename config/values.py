"""The small typed values of project files: names, durations, sizes, places, secrets, schedules.

Each is parsed once here, so that nothing downstream sees ``"2GB"`` or a path that depends on the working directory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    Field,
    PlainValidator,
    SecretStr,
    StringConstraints,
    ValidationInfo,
)
from pydantic_core import PydanticCustomError

from config.cron import cron_fault
from config.interpolate import Interpolated, Unresolved
from config.problems import Code

_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_DURATION_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_DURATION_MAX = timedelta(days=3650)
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_SIZE = re.compile(r"([0-9]{1,9})(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)")
_SIZE_UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12} | {
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_ERASURE_KEY_LENGTH_MIN = 32
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_STORAGE_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")
_Value = TypeVar("_Value")


def refusal(code: Code, message: str, key: str = "") -> PydanticCustomError:
    """An error for a validator to raise; ``key`` names the key of a mapping when the whole mapping is judged."""
    return PydanticCustomError(code.value, "{message}", {"message": message, "key": key})


@dataclass(frozen=True, slots=True)
class Location:
    """A folder, file or storage URL. ``value`` is absolute; ``str()`` is what the operator wrote, safe to show."""

    written: str
    value: str

    def __str__(self) -> str:
        return self.written

    def __repr__(self) -> str:
        return f"Location({self.written!r})"


def _parsed(parse: Callable[[str], _Value], wanted: str) -> Callable[[object], _Value]:
    """A validator that takes text only, and says what form it wants."""

    def validator(value: object) -> _Value:
        if not isinstance(value, str):
            raise refusal(Code.WRONG_TYPE, f"must be {wanted}")
        return parse(value)

    return validator


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise refusal(Code.BAD_VALUE, "must be a duration such as `10s`, `5m`, `2h` or `1d`")
    duration = timedelta(**{_DURATION_UNITS[match[2]]: int(match[1])})
    if not timedelta(0) < duration <= _DURATION_MAX:
        raise refusal(Code.OUT_OF_RANGE, "must be a duration of more than nothing and at most 3650 days")
    return duration


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise refusal(Code.BAD_VALUE, "must be a size such as `512MB`, `2GB` or `1GiB`")
    return int(match[1]) * _SIZE_UNITS[match[2]]


def _memory(text: str) -> int:
    size = _size(text)
    if not 64 * 10**6 <= size <= 2**50:
        raise refusal(Code.OUT_OF_RANGE, "must be at least `64MB` and at most `1024TiB`")
    return size


def _cron(text: str) -> str:
    fault = cron_fault(text)
    if fault:
        raise refusal(Code.BAD_VALUE, fault)
    return text


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise refusal(Code.BAD_VALUE, "must be a time zone such as `UTC` or `Europe/Paris`") from None
    return text


def _time_of_day(text: str) -> time:
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise refusal(Code.BAD_VALUE, 'must be a time of day in quotes, such as `"00:00"` or `"09:30"`')
    return time(int(match[1]), int(match[2]))


def _without_control_characters(text: str) -> str:
    if _CONTROL.search(text):
        raise refusal(Code.BAD_VALUE, "must be one line without control characters")
    return text


def _plain(value: object, wanted: str) -> tuple[str, str]:
    """The text behind an inline or interpolated value, and the text that may be shown."""
    text, written = value, value
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        written = value.written if isinstance(value, Interpolated) else "**********"
    if not isinstance(text, str) or not isinstance(written, str):
        raise refusal(Code.WRONG_TYPE, f"must be {wanted}")
    if not text or len(text) > 4096 or _CONTROL.search(text):
        raise refusal(Code.BAD_VALUE, f"must be {wanted} of one line")
    return text, written


def _folder(info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder")
    assert isinstance(folder, Path), "models with locations are validated with their project folder as context"
    return folder


def _path(value: object, info: ValidationInfo) -> Location:
    if isinstance(value, Unresolved):
        return Location(value.written, "")
    text, written = _plain(value, "a path")
    if _STORAGE_SCHEME.match(text):
        raise refusal(Code.BAD_VALUE, "must be a path, not a URL")
    return Location(written, str(_folder(info) / text))


def _storage(value: object, info: ValidationInfo) -> Location:
    if isinstance(value, Unresolved):
        return Location(value.written, "")
    text, written = _plain(value, "a folder or a storage URL")
    scheme = _STORAGE_SCHEME.match(text)
    if scheme is None:
        return Location(written, str(_folder(info) / text))
    if scheme[1] == "file":
        return Location(written, str(_folder(info) / text.removeprefix("file://")))
    if scheme[1] not in {"s3", "gs", "gcs", "abfs", "abfss", "az"}:
        raise refusal(Code.BAD_VALUE, "must be a folder, or a URL with s3, gs, abfs, az or file")
    return Location(written, text)


def _ledger(value: object, info: ValidationInfo) -> SecretStr:
    if isinstance(value, Unresolved):
        return value
    text, written = _plain(value, "a database URL")
    if text.startswith("sqlite:///") and len(text) > len("sqlite:///") and ":memory:" not in text:
        path, mark, options = text.removeprefix("sqlite:///").partition("?")
        return Interpolated(f"sqlite:///{_folder(info) / path}{mark}{options}", written)
    if _database_host(text, {"postgresql", "postgresql+psycopg"}):
        return SecretStr(re.sub(r"^postgresql:", "postgresql+psycopg:", text))
    raise refusal(Code.BAD_VALUE, "must be `sqlite:///PATH` or `postgresql+psycopg://HOST/DATABASE`")


def _postgres(value: object) -> SecretStr:
    if isinstance(value, Unresolved):
        return value
    text, _ = _plain(value, "a database URL")
    if not _database_host(text, {"postgresql", "postgres"}):
        raise refusal(Code.BAD_VALUE, "must be `postgresql://HOST/DATABASE`")
    return value if isinstance(value, SecretStr) else SecretStr(text)


def _erasure_key(value: object) -> SecretStr:
    if isinstance(value, Unresolved):
        return value
    if not isinstance(value, SecretStr):
        raise refusal(Code.BAD_VALUE, "must come from outside the file: `${env:NAME}` or `${file:PATH}`")
    if len(value.get_secret_value().strip()) < _ERASURE_KEY_LENGTH_MIN:
        raise refusal(Code.BAD_VALUE, f"must be at least {_ERASURE_KEY_LENGTH_MIN} characters of chance")
    return value


def _database_host(url: str, schemes: set[str]) -> bool:
    """Whether the URL has an allowed scheme, a host (or a socket's folder as an option) and no fragment."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is how urlsplit checks it
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.hostname or "host=" in parts.query) and not parts.fragment


def _all_different(values: tuple[str, ...]) -> tuple[str, ...]:
    if len({value.casefold() for value in values}) < len(values):
        raise refusal(Code.DUPLICATE_NAME, "names the same thing twice")
    return values


def _text(length_max: int) -> StringConstraints:
    return StringConstraints(min_length=1, max_length=length_max)


Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
Text = Annotated[str, _text(1000), AfterValidator(_without_control_characters)]
Query = Annotated[str, _text(100_000)]
Names = Annotated[tuple[Name, ...], Field(strict=False), AfterValidator(_all_different)]
Texts = Annotated[tuple[Text, ...], Field(strict=False), AfterValidator(_all_different)]
SomeTexts = Annotated[tuple[Text, ...], Field(strict=False, min_length=1), AfterValidator(_all_different)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Positive = Annotated[int, Field(ge=1, le=10**9)]
Share = Annotated[float, Field(ge=0, le=1)]
Duration = Annotated[
    timedelta,
    PlainValidator(_parsed(_duration, "a duration such as `10s`, `5m` or `2h`"), json_schema_input_type=str),
]
Memory = Annotated[
    int,
    PlainValidator(_parsed(_memory, "a size such as `2GB`"), json_schema_input_type=str),
]
Cron = Annotated[str, PlainValidator(_parsed(_cron, "text with five fields"), json_schema_input_type=str)]
TimeZone = Annotated[str, PlainValidator(_parsed(_timezone, "a time zone's name"), json_schema_input_type=str)]
TimeOfDay = Annotated[
    time,
    PlainValidator(_parsed(_time_of_day, 'a time of day in quotes, such as `"00:00"`'), json_schema_input_type=str),
]
PathLocation = Annotated[Location, PlainValidator(_path, json_schema_input_type=str)]
StorageLocation = Annotated[Location, PlainValidator(_storage, json_schema_input_type=str)]
ErasureKey = Annotated[SecretStr, PlainValidator(_erasure_key, json_schema_input_type=str)]
LedgerUrl = Annotated[SecretStr, PlainValidator(_ledger, json_schema_input_type=str)]
PostgresUrl = Annotated[SecretStr, PlainValidator(_postgres, json_schema_input_type=str)]
