"""A refresh token in a file of its own.

A server that replaces the token at each use takes the old one back, so its successor is on disk before anything is done with it.
"""

from __future__ import annotations

import re
from pathlib import Path

from destinations.own_file import OwnFile, OwnFileError

TOKEN = re.compile(r"[!-~]{1,8192}")
"""What can stand in a header and in a form without being taken for something else."""


class TokenFile:
    """The refresh token at ``path``; whoever uses it takes a turn with `file`."""

    def __init__(self, path: Path) -> None:
        self.file = OwnFile(path)

    def read(self) -> str:
        """The token; raises `OwnFileError` for a file that others may read, or that holds no token."""
        token = self.file.read().decode("ascii", "replace").strip()
        if not TOKEN.fullmatch(token):
            raise OwnFileError(f"{self.file.path} does not hold one refresh token and nothing else")
        return token

    def prove(self, token: str) -> None:
        """Raise `OwnFileError` unless a token like this one could be kept."""
        self.file.prove(token.encode("ascii") + b"\n")

    def keep(self, token: str) -> None:
        """Put ``token`` in the place of the one before; it is on disk when this returns. Raises `OwnFileError`."""
        self.file.keep(token.encode("ascii") + b"\n")
