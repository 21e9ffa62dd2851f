"""``python -m destinations.sandbox``: serve a sandbox until it is told to end."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from destinations.sandbox.server import CannotStartError, serve

PORT = 8765
PORT_MAX = 65_535
RATE_MIN, RATE_MAX = 0.01, 1_000_000.0


def main(arguments: list[str]) -> int:
    """Run the command line; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m destinations.sandbox",
        description="A fake CRM on a loopback port. It keeps what it is sent, and shows it at its address.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=_port, default=PORT, help="0 takes a free one; default %(default)s")
    parser.add_argument("--store", type=Path, required=True, metavar="DIR", help="where it keeps what it is sent")
    parser.add_argument("--rate", type=_rate, metavar="N", help="batches per second; more are answered 429")
    asked = parser.parse_args(arguments)
    try:
        serve(asked.port, asked.store, _say, asked.rate)
    except CannotStartError as error:
        print(f"The sandbox cannot start: {error}", file=sys.stderr)  # noqa: T201  # this is the program's own face
        return 1
    return 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # as above


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= PORT_MAX:
        raise ValueError(text)
    return port


def _rate(text: str) -> float:
    rate = float(text)
    if not (math.isfinite(rate) and RATE_MIN <= rate <= RATE_MAX):
        raise ValueError(text)
    return rate


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
