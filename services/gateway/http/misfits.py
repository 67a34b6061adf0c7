"""Misfits: what does not fit its type, in words for the one who sent it.

The rule: the message names the field, and says what would have fitted.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect

from libs.contracts.faults import Code, Fault
from services.gateway.http import params

_ABOUT_A_FIELD = {
    "Object missing required field": "This field is required.",
    "Object contains unknown field": "There is no such field.",
}
_WORDS = {
    "object": "an object",
    "array": "a list",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "null",
    "date": "a date",
    "datetime": "a time",
}
_PLACE = re.compile(r" - at `\$([^`]*)`\Z")
_EXPECTED = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_SIZE = re.compile(r"Expected `(str|array)` of length (<=|>=) (\d+)")
_SIZED = {"str": ("a text", "character"), "array": ("a list", "item")}
_BOUNDS = {"<=": "at most", ">=": "at least"}
_CHOICE = re.compile(r"Invalid (?:enum )?value (.+)", re.DOTALL)
_STEP = re.compile(r"\[[^\]]*\]|[^.\[\]]+")


def fault(error: msgspec.ValidationError, type: Any) -> Fault:
    """msgspec's "Expected `str`, got `int` - at `$.names[0]`" as a Fault that names `names[0]`. `type` is what was
    expected of the whole.
    """
    text = str(error)
    place = _PLACE.search(text)
    reason, path = (text[: place.start()], place[1].removeprefix(".")) if place else (text, "")
    field = path.replace("[...]", "")
    for start, sentence in _ABOUT_A_FIELD.items():
        if reason.startswith(start):
            name = reason.split("`")[1]
            return Fault(Code.INVALID, sentence, field=f"{field}.{name}" if field else name)
    return Fault(Code.INVALID, _in_words(reason, type, path), field=field or None)


def _in_words(reason: str, type: Any, path: str) -> str:
    if match := _EXPECTED.fullmatch(reason):
        choices = " or ".join(_WORDS.get(word, word) for word in match[1].split(" | "))
        return f"Expected {choices}, got {_WORDS.get(match[2], match[2])}."
    if match := _SIZE.fullmatch(reason):
        what, unit = _SIZED[match[1]]
        return f"Expected {what} of {_BOUNDS[match[2]]} {match[3]} {unit}{'' if match[3] == '1' else 's'}."
    if (match := _CHOICE.fullmatch(reason)) and (choices := list(_choices(type, path))):
        return f"Expected {one_of(choices)}, got {params.shown(match[1])}."
    return f"{reason}.".replace("`", "'")


def one_of(choices: list[str]) -> str:
    """`a, b or c`."""
    *most, last = choices
    return f"{', '.join(most)} or {last}" if most else last


def _choices(type: Any, path: str) -> Iterator[str]:
    yield from dict.fromkeys(_taken(inspect.type_info(type), _STEP.findall(path)))


def _taken(kind: inspect.Type, path: list[str]) -> Iterator[str]:
    """What is taken at the end of `path`, by each of the types that may be meant."""
    match kind:
        case inspect.Metadata():
            yield from _taken(kind.type, path)
        case inspect.UnionType():
            for one in kind.types:
                yield from _taken(one, path)
        case inspect.LiteralType() if not path:
            yield from map(str, kind.values)
        case inspect.EnumType() if not path:
            yield from (str(one.value) for one in kind.cls)
        case inspect.StructType() if path == [kind.tag_field]:
            yield str(kind.tag)
        case inspect.StructType() if path:
            yield from (
                took for field in kind.fields if field.encode_name == path[0] for took in _taken(field.type, path[1:])
            )
        case inspect.ListType() if path:
            yield from _taken(kind.item_type, path[1:])
        case inspect.DictType() if path:
            yield from _taken(kind.value_type, path[1:])
        case _:
            return
