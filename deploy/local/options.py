"""Options: what `python -m deploy.local` can be told.

Owner: deploy.local.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SERVICES = ("gateway", "runner", "retrieval", "feedback", "webhook_dispatcher")
DEFAULT_PORT = 4000


@dataclass(frozen=True)
class Options:
    """`model_url` is an OpenAI-compatible endpoint in place of the model served here; `workers` counts processes."""

    ports: tuple[int, ...]
    data: Path
    ready_file: Path | None
    model_url: str | None
    model_name: str | None
    model_file: Path | None
    workers: dict[str, int]


def read(arguments: Sequence[str] | None = None) -> Options:
    parser = _parser()
    given = parser.parse_args(arguments)
    if bool(given.model_url) != bool(given.model_name):
        parser.error("--model-url and --model-name go together")
    if given.model_url and given.model_file:
        parser.error("choose one of --model-url and --model-file")
    return Options(
        ports=tuple(dict.fromkeys(given.port or (DEFAULT_PORT,))),
        data=given.data.resolve(),
        ready_file=given.ready_file,
        model_url=given.model_url,
        model_name=given.model_name,
        model_file=given.model_file,
        workers=dict.fromkeys(SERVICES, 1) | given.workers,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="The whole engine on this machine.")
    parser.add_argument(
        "--port",
        action="append",
        type=_port,
        metavar="PORT",
        help=f"where the gateway listens on 127.0.0.1 and ::1; may be repeated ({DEFAULT_PORT})",
    )
    parser.add_argument("--data", type=Path, default=Path(".polyvox"), metavar="DIR", help="where all data lives")
    parser.add_argument("--ready-file", type=Path, metavar="FILE", help="JSON written once everything is ready")
    parser.add_argument("--model-url", type=_url, metavar="URL", help="an OpenAI-compatible endpoint, up to its /v1")
    parser.add_argument("--model-name", metavar="NAME", help="the model to ask that endpoint for")
    parser.add_argument("--model-file", type=_gguf, metavar="FILE.gguf", help="a model to serve here")
    parser.add_argument(
        "--workers", type=_workers, default={}, metavar="gateway=2,runner=2", help="processes per service (1 each)"
    )
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 1 to 65535")
    return int(text)


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise argparse.ArgumentTypeError(f"{text!r} is no http or https URL")
    return text.rstrip("/")


def _gguf(text: str) -> Path:
    file = Path(text).resolve()
    if not file.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {file}")
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            raise argparse.ArgumentTypeError(f"{file} is no GGUF file")
    return file


def _workers(text: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for part in text.split(","):
        name, _, count = part.partition("=")
        service = name.strip().replace("-", "_")
        if service not in SERVICES or not count.strip().isdigit() or int(count) < 1:
            raise argparse.ArgumentTypeError(f"{part!r} is not SERVICE=COUNT with one of {', '.join(SERVICES)}")
        counts[service] = int(count)
    if counts.get("retrieval", 1) > 1:
        raise argparse.ArgumentTypeError("retrieval runs once here: its embedded vector engine has one process")
    return counts
