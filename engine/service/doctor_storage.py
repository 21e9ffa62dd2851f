"""Doctor: whether the segments' storage can be read and written, by whom, and how much room is left."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from engine.errors import TidegateError
from engine.ledger.projections import versions
from engine.service.doctor_premises import Finding, Premises, fine, problem, told, warning

PROBE = "doctor-probe"
COPIES = 3
"""Newest snapshots that a capture, its changes, a plan and what is spilled take at once, at most."""
BYTES_MIN = 200_000_000
INODES_MIN = 1_000
FILES_LOOKED_AT_MAX = 10_000
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def usable(premises: Premises) -> Iterator[Finding]:
    """That it can be read, and written where it exists: a small file is put there and taken away again."""
    if premises.storage_error is not None:
        yield told("storage", premises.storage_error)
    if premises.storage is None:
        return
    folder = premises.storage.folder
    if folder is not None and not folder.exists():
        yield from _absent(folder)
        return
    probe = f"{PROBE}-{secrets.token_hex(4)}"
    try:
        premises.storage.notes("anchors", ".json")
        premises.storage.put_note(probe, b"written by tidegate doctor\n")
    except TidegateError as error:
        yield told("storage", error)
    except Exception as error:  # noqa: BLE001  # each kind of bucket has errors of its own, whose texts may quote a credential
        yield problem("storage", f"cannot be used: {type(error).__name__}", "check its address, credentials and policy")
    else:
        yield fine("storage", "can be read and written")
    finally:
        premises.storage.remove_path(probe)


def _absent(folder: Path) -> Iterator[Finding]:
    above = next(parent for parent in folder.parents if parent.exists())
    if os.access(above, os.W_OK | os.X_OK):
        yield fine("storage", f"{folder} is not there yet; the first run makes it")
    else:
        yield problem("storage", f"{folder} is not there and cannot be made", f"let this user write to {above}")


def private(premises: Premises) -> Iterator[Finding]:
    """That only the owner reads what is kept; a bucket's own policy is not seen from here."""
    folder = premises.storage.folder if premises.storage is not None else None
    if folder is None or not folder.exists():
        return
    if folder.stat().st_uid != os.geteuid():
        what = f"{folder} belongs to another user than the one who runs this"
        yield warning("permissions", what, "run Tidegate as the user who owns its storage")
    if not folder.stat().st_mode & _OTHERS:
        yield fine("permissions", f"{folder} is its owner's alone")
        return
    seen = list(islice(folder.rglob("*"), FILES_LOOKED_AT_MAX))
    open_ones = [path for path in seen if path.is_file() and path.stat().st_mode & _OTHERS]
    if open_ones:
        what = f"{len(open_ones):,} files in {folder} are open to other users of this machine"
        yield warning("permissions", what, f"chmod -R go= {folder}")
    else:
        yield fine("permissions", f"each file in {folder} is its owner's alone")


def space(premises: Premises) -> Iterator[Finding]:
    """The room that is left wherever something is written, against what the next versions take."""
    need = BYTES_MIN + COPIES * _newest_bytes(premises)
    folder = premises.storage.folder if premises.storage is not None else None
    places = [place for place in (folder, premises.ledger_file, premises.scratch) if place is not None]
    for place in _disks(places):
        free, inodes = shutil.disk_usage(place).free, os.statvfs(place)
        if free < need // COPIES:
            yield problem("disk", f"{_size(free)} free at {place}; the next versions take about {_size(need)}", _MORE)
        elif free < need:
            yield warning("disk", f"{_size(free)} free at {place}; the next versions take about {_size(need)}", _MORE)
        elif inodes.f_files and inodes.f_favail < INODES_MIN:
            yield problem("disk", f"only {inodes.f_favail:,} more files can be made at {place}", _MORE)
        else:
            yield fine("disk", f"{_size(free)} free at {place}")


_MORE = "tidegate gc"


def _newest_bytes(premises: Premises) -> int:
    if premises.app is None:
        return 0
    database = premises.app.tools.database
    newest = (versions.latest(database, dataset) for dataset in premises.app.datasets)
    return sum(row.snapshot.bytes for row in newest if row is not None)


def _disks(places: Iterable[Path]) -> list[Path]:
    """The nearest existing folder of each place, one for each device."""
    found: dict[int, Path] = {}
    for place in places:
        folder = next(path for path in (place, *place.parents) if path.is_dir())
        found.setdefault(folder.stat().st_dev, folder)
    return list(found.values())


def _size(value: int) -> str:
    return f"{value / 1e9:,.1f} GB"
