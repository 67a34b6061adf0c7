"""`dead-letters list | retry | drop`: the events that a service gave up on after five tries, on its own tables.

What is put back is tried by the running service within a second or so, as an event that never failed before.
"""

import argparse
import pkgutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from importlib import import_module
from typing import Any, cast
from uuid import UUID

import asyncpg
import msgspec
from msgspec import Struct

from libs import contracts
from libs.bus import letters
from libs.bus.letters import DeadLetter
from libs.contracts import ids
from libs.contracts.faults import Code, Fault
from libs.contracts.subjects import DECLARED, Event
from libs.postgres.database import Connection, Database
from libs.runtime.commands.answers import Answer
from libs.runtime.commands.connected import answered

Work = Callable[[Database, argparse.Namespace], Awaitable[Answer]]

_SHOWN = 80


class Listed(Struct, frozen=True):
    """A dead letter for --json. `fact` is None where this version knows no such event, or can't read it."""

    id: UUID
    subject: str
    at: datetime
    tries: int
    reason: str
    died_at: datetime
    fact: Any
    body: bytes


class Line(Struct, frozen=True):
    """A dead letter for the eye."""

    id: UUID
    subject: str
    at: str
    tries: int
    reason: str
    fact: str


class Moved(Struct, frozen=True):
    id: UUID


def main(service: str, argv: Sequence[str]) -> int:
    """The exit code; ends the process with the usage where the words make no command."""
    options = _parser(service).parse_args(argv)
    work: Work = options.work
    return answered(service, lambda database: work(database, options), json=options.json)


def _parser(service: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{service} dead-letters",
        description=f"Events that {service} gave up on after five tries. Reads POSTGRES_DSN.",
    )
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    listing = _verb(verbs, "list", _list, "list them, with the reason and the fact; the latest first")
    listing.add_argument("--limit", type=_positive, default=50, metavar="N", help="how many at most (50)")
    _choose(_verb(verbs, "retry", _retry, "try events again, as if they had never failed"))
    _choose(_verb(verbs, "drop", _drop, "throw events away for good"))
    return parser


def _verb(verbs: Any, word: str, work: Work, help: str) -> argparse.ArgumentParser:
    parser = verbs.add_parser(word, help=help, description=help)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(work=work)
    return parser


def _choose(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("ids", nargs="*", default=[], metavar="ID", help="ids as listed; all of them or none")
    which.add_argument("--all", action="store_true", help="every one there is")


def _positive(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 31:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


async def _list(database: Database, options: argparse.Namespace) -> Answer:
    async with _tables(database) as connection:
        found = await letters.latest(connection, options.limit)
        more = await letters.count(connection) - len(found)
    listed = [_listed(letter) for letter in found]
    notes = (f"{more} more: --limit {len(found) + more} shows them all.",) if more > 0 else ()
    return Answer(listed, [_line(letter) for letter in listed], Line.__struct_fields__, notes)


async def _retry(database: Database, options: argparse.Namespace) -> Answer:
    async with _tables(database) as connection:
        moved = await letters.retry(connection, _chosen(options))
    return _answer(moved, "retried", "put back: the running service tries again now.")


async def _drop(database: Database, options: argparse.Namespace) -> Answer:
    async with _tables(database) as connection:
        moved = await letters.drop(connection, _chosen(options))
    return _answer(moved, "dropped", "dropped.")


@asynccontextmanager
async def _tables(database: Database) -> AsyncGenerator[Connection]:
    try:
        async with database.transaction() as connection:
            yield connection
    except asyncpg.UndefinedTableError:
        raise Fault(Code.UNAVAILABLE, "There are no tables yet: the service makes them when it first starts.") from None


def _chosen(options: argparse.Namespace) -> list[UUID] | None:
    """None for all."""
    return None if options.all else [_id(text) for text in options.ids]


def _id(text: str) -> UUID:
    id = ids.parse(text)
    if id is None:
        raise Fault(Code.INVALID, f"{text!r} is no id: nothing was changed.", field="id")
    return id


def _answer(moved: Sequence[UUID], done: str, note: str) -> Answer:
    count = f"{len(moved)} event{'s' * (len(moved) != 1)}"
    return Answer({done: moved}, [Moved(id) for id in moved], Moved.__struct_fields__, (f"{count} {note}",))


def _listed(letter: DeadLetter) -> Listed:
    return Listed(
        letter.id,
        letter.subject,
        letter.at,
        letter.tries,
        letter.reason,
        letter.died_at,
        _fact(letter),
        letter.body,
    )


def _fact(letter: DeadLetter) -> Any:
    event = _events().get(letter.subject)
    try:
        return event and event.unpack(letter.body)
    except msgspec.DecodeError:
        return None


@cache
def _events() -> dict[str, Event[Any]]:
    """All of the engine's: a subject is known once its contract is imported, and a service imports what it needs."""
    for found in pkgutil.iter_modules(contracts.__path__):
        import_module(f"{contracts.__name__}.{found.name}")
    return {name: cast("Event[Any]", subject) for name, subject in DECLARED.items() if isinstance(subject, Event)}


def _line(letter: Listed) -> Line:
    fact = repr(letter.body[:_SHOWN]) if letter.fact is None else msgspec.json.encode(letter.fact).decode()
    at = letter.at.isoformat(" ", "seconds")
    return Line(letter.id, letter.subject, at, letter.tries, _short(letter.reason), _short(fact))


def _short(text: str) -> str:
    """One line that a terminal takes as text and nothing else."""
    plain = "".join(character if character.isprintable() else "\ufffd" for character in " ".join(text.split()))
    return plain if len(plain) <= _SHOWN else f"{plain[: _SHOWN - 1]}…"
