"""Logs: structlog to stderr, for a person on a terminal and as JSON lines anywhere else, with secrets taken out.

What other libraries log through the standard library comes out the same way.
"""

from __future__ import annotations

import logging
from typing import TextIO

import structlog
from structlog.typing import Processor

from engine.observe.redact import Redactor

DEFAULT_LEVEL = "warning"


def configure(stream: TextIO, level: str, redactor: Redactor) -> None:
    """Send everything of ``level`` (a name such as ``info``) and above to ``stream``; may be called again."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.PositionalArgumentsFormatter(), _wrap],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                redactor,
                _renderer(stream),
            ],
        )
    )
    root = logging.getLogger()
    for before in list(root.handlers):
        if isinstance(before.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(before)
    root.addHandler(handler)
    root.setLevel(threshold)


_wrap = structlog.stdlib.ProcessorFormatter.wrap_for_formatter


def _renderer(stream: TextIO) -> Processor:
    if not stream.isatty():
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, repr_native_str=True)
