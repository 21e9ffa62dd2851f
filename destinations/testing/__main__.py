"""``python -m destinations.testing NAME``: the suite of one installed adapter, and its results as JSON on stdout."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from destinations.testing.runner import results, suite_of


def main() -> None:
    """Print ``{"suite": …, "results": […]}``; the suite is null when the adapter has none."""
    suite = suite_of(sys.argv[1])
    found = [] if suite is None else [asdict(result) for result in results([suite])]
    sys.stdout.write(json.dumps({"suite": suite, "results": found}) + "\n")


if __name__ == "__main__":
    main()
