"""Headers that operators write: names and values that can be sent as they are, and none that an adapter sets itself."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Annotated, TypeAlias

from pydantic import SecretStr, StringConstraints

HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"([!-~]([ -~\t]*[!-~])?)?")
HeaderName: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=100)]


def sendable(headers: dict[str, SecretStr], ours: AbstractSet[str]) -> dict[str, SecretStr]:
    """The headers themselves; raises `ValueError` for one that cannot be sent, or whose name is one of ``ours``."""
    for name, value in headers.items():
        if not HEADER_NAME.fullmatch(name):
            raise ValueError("one of its names is not the name of a header")
        if name.lower() in ours:
            raise ValueError(f"`{name}` is a header that the protocol sets itself")
        if not HEADER_VALUE.fullmatch(value.get_secret_value()):
            raise ValueError(f"the value of `{name}` is not visible ASCII, with blanks only inside")
    return headers
