"""A refresh token in a file of its own: who may read it, who uses it now, and how its successor takes its place.

A server that replaces the token at each use takes the old one back. So the new one is on disk before anything is done with
it, and only one process of the host uses the file at a time.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

TOKEN = re.compile(r"[!-~]{1,8192}")
"""What can stand in a header and in a form without being taken for something else."""
TURN_SECONDS_MAX = 70.0
"""Longer than the engine lets one request take, so that whoever holds the file and lives has let go of it by then."""
_LOOK_SECONDS = 0.05
_BYTES_MAX = 8194


class TokenFileError(Exception):
    """The file cannot be used as it is; the message names it and what would help, and nothing that it holds."""


class TokenFileBusy(Exception):
    """Another process has held the file for `TURN_SECONDS_MAX`."""


class TokenFile:
    """The file at ``path``, and beside it ``path``.lock, which is held by whoever uses it."""

    def __init__(self, path: Path) -> None:
        # A link stays one: what it names is replaced.
        self._path = Path(os.path.realpath(path))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Be the only one who uses the file; the lock goes with the process that held it.

        Raises `TokenFileBusy`, and `TokenFileError` where no lock can be made.
        """
        try:
            descriptor = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable("cannot be locked", error) from None
        try:
            await _locked(descriptor)
            yield
        finally:
            os.close(descriptor)

    def read(self) -> str:
        """The token; raises `TokenFileError` for a file that others may read, or that holds no token."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                about = os.fstat(descriptor)
                content = file.read(_BYTES_MAX + 1) if stat.S_ISREG(about.st_mode) else b""
        except OSError as error:
            raise self._unusable("cannot be read", error) from None
        if about.st_mode & 0o077:
            raise TokenFileError(f"{self._path} may be read by others; give it the mode 0600")
        token = content.decode("ascii", "replace").strip()
        if not TOKEN.fullmatch(token):
            raise TokenFileError(f"{self._path} does not hold one refresh token and nothing else")
        return token

    def prove(self, token: str) -> None:
        """Raise `TokenFileError` unless a token like this one could be kept: a full disk is found out in time."""
        try:
            self._written(token).unlink()
        except OSError as error:
            raise self._unusable("cannot be written", error) from None

    def keep(self, token: str) -> None:
        """Put ``token`` in the place of what the file holds; it is on disk when this returns. Raises `TokenFileError`."""
        try:
            self._written(token).rename(self._path)
            _sync_directory(self._path.parent)
        except OSError as error:
            raise self._unusable("cannot be written", error) from None

    def _written(self, token: str) -> Path:
        temporary = self._path.with_name(f"{self._path.name}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(token.encode("ascii") + b"\n")
            file.flush()
            os.fsync(descriptor)
        return temporary

    def _unusable(self, what: str, error: OSError) -> TokenFileError:
        return TokenFileError(f"{self._path} {what} ({error.strerror or type(error).__name__})")


async def _locked(descriptor: int) -> None:
    """Looks again and again instead of waiting inside the call, which nobody could cancel."""
    for _ in range(int(TURN_SECONDS_MAX / _LOOK_SECONDS)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return
    raise TokenFileBusy


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
