"""A secret in a file of its own: who may read it, who uses it now, and how another one takes its place.

What is written is on disk before anything is done with it, and only one process of the host uses the file at a time.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

TURN_SECONDS_MAX = 70.0
"""Longer than the engine lets one request take, so that whoever holds the file and lives has let go of it by then."""
_LOOK_SECONDS = 0.05
_BYTES_MAX = 65_536


class OwnFileError(Exception):
    """The file cannot be used as it is; the message names it and what would help, and nothing that it holds."""


class OwnFileBusy(Exception):
    """Another process has held the file for `TURN_SECONDS_MAX`."""


class OwnFile:
    """The file at ``path``, and beside it ``path``.lock, which is held by whoever uses it."""

    def __init__(self, path: Path) -> None:
        # A link stays one: what it names is replaced.
        self.path = Path(os.path.realpath(path))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Be the only one who uses the file; the lock goes with the process that held it.

        Raises `OwnFileBusy`, and `OwnFileError` where no lock can be made.
        """
        try:
            descriptor = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable("cannot be locked", error) from None
        try:
            await _locked(descriptor)
            # It is as old as the moment, by the clock of the file system, which is that of the file's own age.
            os.utime(descriptor)
            yield
        finally:
            os.close(descriptor)

    def age_seconds(self) -> float:
        """How long ago the file was written, in a turn; 0 where a clock was put back since."""
        held, written = Path(f"{self.path}.lock").stat().st_mtime, self.path.stat().st_mtime
        return max(0.0, held - written)

    def read(self) -> bytes:
        """What it holds; raises `OwnFileError` for a file that others may read, or that cannot be read."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                about = os.fstat(descriptor)
                content = file.read(_BYTES_MAX) if stat.S_ISREG(about.st_mode) else b""
        except OSError as error:
            raise self._unusable("cannot be read", error) from None
        if about.st_mode & 0o077:
            raise OwnFileError(f"{self.path} may be read by others; give it the mode 0600")
        return content

    def prove(self, content: bytes) -> None:
        """Raise `OwnFileError` unless something like this could be kept: a full disk is found out in time."""
        try:
            self._written(content).unlink()
        except OSError as error:
            raise self._unusable("cannot be written", error) from None

    def keep(self, content: bytes) -> None:
        """Put ``content`` in the place of what the file holds; it is on disk when this returns. Raises `OwnFileError`."""
        try:
            self._written(content).rename(self.path)
            _sync_directory(self.path.parent)
        except OSError as error:
            raise self._unusable("cannot be written", error) from None

    def _written(self, content: bytes) -> Path:
        temporary = self.path.with_name(f"{self.path.name}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        return temporary

    def _unusable(self, what: str, error: OSError) -> OwnFileError:
        return OwnFileError(f"{self.path} {what} ({error.strerror or type(error).__name__})")


async def _locked(descriptor: int) -> None:
    """Looks again and again instead of waiting inside the call, which nobody could cancel."""
    for _ in range(int(TURN_SECONDS_MAX / _LOOK_SECONDS)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return
    raise OwnFileBusy


def _sync_directory(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
