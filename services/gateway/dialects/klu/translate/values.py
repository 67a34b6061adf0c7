"""Single values, as several nouns need them."""

from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from msgspec import UNSET, UnsetType

from libs.contracts.faults import Code, Fault
from services.gateway.http import params

T = TypeVar("T")

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", "", "none", "null"})
_LONGEST_END_USER = 500
_NANOS = 1_000_000_000
_MOST_DOLLARS = 1_000_000


def flag(value: bool | str | int | None, name: str) -> bool:
    """Clients write booleans as words and numbers too. Raises Fault INVALID."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word not in _TRUE | _FALSE:
            raise Fault(Code.INVALID, f"Expected true or false, got {params.shown(value)!r}.", field=name)
        return word in _TRUE
    return bool(value)


def kept(value: T | None) -> T | UnsetType:
    """In an update null stands for what was not sent."""
    return UNSET if value is None else value


def kept_flag(value: bool | str | int | None, name: str) -> bool | UnsetType:
    return UNSET if value is None else flag(value, name)


def spelled(id: UUID | None) -> str | None:
    return None if id is None else str(id)


def version(text: str | int | None, name: str) -> tuple[UUID | None, int | None]:
    """A version by its guid or by its number; neither where none is named. Raises Fault NOT_FOUND."""
    given = "" if text is None else str(text).strip()
    if not given:
        return None, None
    if given.isascii() and given.isdigit() and len(given) < 10:
        return None, int(given)
    return params.guid(given, "version", field=name), None


def reference(text: str | None, noun: str) -> UUID | None:
    """The id that a body names under `noun`; none where it names none. Raises Fault NOT_FOUND."""
    return params.guid(text, noun, field=noun) if text else None


def required(text: str | None, noun: str) -> UUID:
    """Raises Fault INVALID where it is missing, NOT_FOUND where it is no id."""
    if not text:
        raise missing(noun)
    return params.guid(text, noun, field=noun)


def end_user(given: str | int | None) -> str:
    """Whom the client's own users know by this name or number. Raises Fault INVALID."""
    name = "" if given is None else str(given)
    if len(name) > _LONGEST_END_USER:
        raise Fault(Code.INVALID, f"Expected {_LONGEST_END_USER} characters at most.", field="extUserId")
    return name


def nanos(dollars: Decimal, name: str) -> int:
    """An amount as the engine counts it, in nano-dollars. Raises Fault INVALID."""
    if not dollars.is_finite() or not 0 <= dollars <= _MOST_DOLLARS:
        raise Fault(Code.INVALID, f"Expected US dollars from 0 to {_MOST_DOLLARS:,}.", field=name)
    return int(dollars * _NANOS)


def dollars(nanos: int) -> float:
    return nanos / _NANOS


def missing(name: str) -> Fault:
    return Fault(Code.INVALID, "This field is required.", field=name)
