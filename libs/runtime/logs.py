"""Logs: one JSON object a line on stderr, with the ids of the work in whose course it was written.

The ids travel in context variables: they are set once where the work enters, in a task of its own, never per message.
Name fields with `extra={"endpoint": id}`; a message is a short sentence without values.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

request_id: ContextVar[str] = ContextVar("request_id", default="")
workspace_id: ContextVar[str] = ContextVar("workspace_id", default="")
run_id: ContextVar[str] = ContextVar("run_id", default="")

_IDS = (request_id, workspace_id, run_id)
_LONGEST = 16_384
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(service: str, instance: str, level: str = "INFO", *, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (stderr) as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines(service, instance))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # The gateway writes its own line per request.
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)


class Lines(logging.Formatter):
    """A record as one line of JSON. Nothing in a record, not even a lone surrogate, makes it fail."""

    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._process = {"service": service, "instance": instance}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {"ts": _time(record.created), "level": record.levelname.lower(), **self._process}
        line |= {"logger": record.name, "message": _cut(record.getMessage())}
        line |= {variable.name: variable.get() for variable in _IDS if variable.get()}
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1]:
            line["exception"] = _cut(self.formatException(record.exc_info))
        return json.dumps(line, default=str, skipkeys=True)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cut(text: str) -> str:
    """The ends of an overlong text: a traceback names its cause last."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}\n…\n{text[-_LONGEST // 2 :]}"
