"""The generated pages: docs/subjects.md, written from the contracts. `make pages` writes them, `make check` compares.

Owner: deploy. What is generated is committed, so that it can be read where it lies.
"""

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Any, get_args, get_origin

import libs.contracts
from libs.contracts.subjects import DECLARED, MAY_CALL, Event, Feed, Rpc, Subject

SUBJECTS = Path(__file__).parents[1] / "docs" / "subjects.md"

_HEAD = """# Subjects

All that the services say to each other, generated from `libs/contracts/` by `make pages`. A question (`rpc`) is
answered by its owner, an event is a fact that its owner states, a feed carries the numbered frames of one run. The
subject names its owner, the module of `libs/contracts/` is named after the noun, and the wire format is MessagePack.
"""


def subjects() -> str:
    for module in pkgutil.iter_modules(libs.contracts.__path__):
        importlib.import_module(f"libs.contracts.{module.name}")
    parts = [_HEAD, _callers()]
    parts += [_of_owner(owner) for owner in MAY_CALL]
    return "\n".join(parts)


def _callers() -> str:
    rows = [
        f"| `{caller}` | {', '.join(f'`{owner}`' for owner in MAY_CALL if owner in owners)} |"
        for caller, owners in MAY_CALL.items()
    ]
    return "\n".join(["## Who may call whom", "", "| service | may ask |", "|---|---|", *rows, ""])


def _of_owner(owner: str) -> str:
    owned = [subject for subject in DECLARED.values() if subject.owner == owner]
    tables = [
        _table("Questions", ("subject", "request", "reply"), [_rpc(each) for each in owned if isinstance(each, Rpc)]),
        _table("Events", ("subject", "fact"), [_row(each, each.fact) for each in owned if isinstance(each, Event)]),
        _table("Feeds", ("subject", "item"), [_row(each, each.item) for each in owned if isinstance(each, Feed)]),
    ]
    return "\n".join([f"## {owner}", "", *([table for table in tables if table] or ["Nothing yet.", ""])])


def _table(title: str, columns: tuple[str, ...], rows: list[str]) -> str:
    if not rows:
        return ""
    head = f"| {' | '.join(columns)} |"
    return "\n".join([f"### {title}", "", head, "|" + "---|" * len(columns), *sorted(rows), ""])


def _rpc(rpc: Rpc[Any, Any]) -> str:
    return f"| `{rpc.name}` | {_type(rpc.request)} | {_type(rpc.reply)} |"


def _row(subject: Subject, body: type[Any]) -> str:
    return f"| `{subject.name}` | {_type(body)} |"


def _type(type_: Any) -> str:
    return f"`{_spelled(type_)}`"


def _spelled(type_: Any) -> str:
    """`runs.StartRun` as one writes it; a container with what it contains."""
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_spelled, arguments))}]"
    module = type_.__module__.rpartition(".")[2]
    return f"{module}.{type_.__name__}" if type_.__module__.startswith("libs.contracts.") else type_.__name__


def main() -> None:
    if "--check" not in sys.argv:
        SUBJECTS.write_text(subjects())
    elif not SUBJECTS.exists() or SUBJECTS.read_text() != subjects():
        sys.exit(f"{SUBJECTS} is not what the contracts say: run `make pages`.")


if __name__ == "__main__":
    main()
