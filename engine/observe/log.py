"""Logs: structlog to stderr, for a person on a terminal and as JSON lines anywhere else, with secrets taken out.

What other libraries warn of through the standard library comes out the same way. What they say below a warning does not: an
HTTP library would log the headers of answers, and a destination may write what it was sent into one.
"""

from __future__ import annotations

import logging
from typing import TextIO

import structlog
from structlog.typing import Processor

from engine.observe.redact import Redactor
from engine.observe.trouble import exception_told

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
    handler.addFilter(_ours_or_a_warning)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                exception_told,
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


OURS = ("engine", "destinations", "config", "tidegate")


def _ours_or_a_warning(line: logging.LogRecord) -> bool:
    return line.levelno >= logging.WARNING or line.name.partition(".")[0] in OURS


_wrap = structlog.stdlib.ProcessorFormatter.wrap_for_formatter


def _renderer(stream: TextIO) -> Processor:
    if not stream.isatty():
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, repr_native_str=True)
