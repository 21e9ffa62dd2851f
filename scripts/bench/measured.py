"""One run of the benchmark's sync, with its wall time and peak memory added to the report."""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict
from pathlib import Path

began = time.perf_counter()

from engine.bootstrap import open_app  # noqa: E402  # the import belongs to what an operator waits for
from engine.delivery.stop import StopRequest  # noqa: E402
from engine.service.runs import run_syncs  # noqa: E402


def main() -> None:
    app = open_app(Path(sys.argv[1]), environment=None)
    (report,) = run_syncs(app, ["customers_to_sink"], StopRequest())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({**asdict(report), "wall": time.perf_counter() - began, "rss_kb": peak}))


if __name__ == "__main__":
    main()
