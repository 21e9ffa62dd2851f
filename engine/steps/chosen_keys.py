"""Match keys that a person chose in a list: each must be one of a record that somebody knows."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from engine.errors import ConfigurationError

KEYS_TOLD_MAX = 10


def refuse_unknown(keys: Sequence[str], known: Collection[str], *, option: str, why: str) -> None:
    """Raise `ConfigurationError` where a key is not ``known``: by its number in the list, for a key may name somebody.

    ``why`` completes "Nobody knows a record with such a key: it is …".
    """
    missing = [str(place) for place, key in enumerate(keys, start=1) if key not in known]
    if missing:
        more = f" and {len(missing) - KEYS_TOLD_MAX:,} more" if len(missing) > KEYS_TOLD_MAX else ""
        raise ConfigurationError(
            f"Nobody knows a record with such a key: it is {why}",
            where=f"{option}, key number {', '.join(missing[:KEYS_TOLD_MAX])}{more}",
            safe="Nothing was changed.",
            next="give match keys as the destination knows them, as text, one a line",
        )
