"""A changed function in a process that has it loaded: what takes long, to import and to collect tests, is done once for all."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType, FunctionType


def loaded(root: Path, folders: Sequence[str]) -> Mapping[tuple[str, str], FunctionType]:
    """The functions of the modules in ``folders`` that this process has loaded, by file and qualified name."""
    gc.unfreeze()
    functions = [found for found in gc.get_objects() if isinstance(found, FunctionType)]
    gc.freeze()
    prefixes = tuple(f"{root / folder}/" for folder in folders)
    ours = [found for found in functions if found.__code__.co_filename.startswith(prefixes)]
    return {
        (Path(found.__code__.co_filename).relative_to(root).as_posix(), found.__code__.co_qualname): found
        for found in ours
    }


def exchangeable(source: str, changed: str, function: str) -> CodeType | None:
    """The changed code of a function that may stand in the place of its code; None where only a new import can do that."""
    before, after = (_codes(compile(text, "module", "exec"), function) for text in (source, changed))
    if len(before) == len(after) == 1 and before[0].co_freevars == after[0].co_freevars:
        return after[0]
    return None


def _codes(code: CodeType, name: str) -> list[CodeType]:
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return [found for found in inner if found.co_qualname == name] + [
        found for one in inner if name.startswith(one.co_qualname + ".") for found in _codes(one, name)
    ]
