"""Filling a step's texts from what set its run off and from what earlier steps came to.

A path (`{{ trigger.contact.email }}`, `{{ steps.lookup.body.items.0 }}`) is looked up here, and where it is all of a
text the value keeps its type. Anything more is Jinja2, rendered by the sandbox that renders prompts.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct

from libs.contracts.faults import Code, Fault
from services.runner.prompting.rendering import Renderer
from services.runner.prompting.templates import Template, spelled
from services.runner.tools.headers import KEPT

ROOTS = ("trigger", "steps", "automation", "run")

_PATH = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.\w+)*)\s*\}\}", re.ASCII)
_JINJA = re.compile(r"\{[{%#]")
_DEEPEST = 32
_MOST_NAMED = 20


class Filling:
    """`scope` holds what the ROOTS stand for."""

    def __init__(self, renderer: Renderer, scope: dict[str, Any]) -> None:
        self._renderer, self._scope = renderer, scope

    async def value(self, value: Any, field: str) -> Any:
        """`value` with every text in it filled, and keys as they are. Raises Fault INVALID that names the field."""
        match value:
            case str():
                return await self._typed(value, field)
            case list():
                return [await self.value(item, f"{field}[{place}]") for place, item in enumerate(value)]
            case dict():
                return {key: await self.value(item, f"{field}.{key}") for key, item in value.items()}
            case _:
                return value

    async def text(self, source: str, field: str) -> str:
        """Raises Fault INVALID that names the field."""
        return spelled(await self._typed(source, field))

    async def optional(self, source: str, field: str) -> Any:
        """As `value`; None where it is a path that leads nowhere."""
        if (whole := _PATH.fullmatch(source.strip())) is None:
            return await self._typed(source, field)
        try:
            return self._found(whole[1], field)
        except Fault:
            return None

    async def address(self, source: str, field: str) -> str:
        """A URL, in which values that a path leads to lead nowhere else: they are percent-encoded, and no segment of
        its path becomes one that climbs, or none. Raises Fault INVALID that names the field.
        """
        if is_jinja(source):
            return await self._rendered(source, field)
        filled = _PATH.sub(lambda found: quote(spelled(self._found(found[1], field)), safe=""), source)
        for before, after in zip(_segments(source), _segments(filled), strict=True):
            if before != after and after in ("", ".", ".."):
                raise Fault(Code.INVALID, f"{after!r} can't stand in a URL's path for {before}.", field=field)
        return filled

    async def _typed(self, source: str, field: str) -> Any:
        if (whole := _PATH.fullmatch(source.strip())) is not None:
            return self._found(whole[1], field)
        if is_jinja(source):
            return await self._rendered(source, field)
        return _PATH.sub(lambda found: spelled(self._found(found[1], field)), source)

    async def _rendered(self, source: str, field: str) -> str:
        try:
            return await self._renderer.render(Template(source, [], (), plain=False), self._scope)
        except OverflowError:
            raise Fault(Code.INVALID, "A number is too large for a template.", field=field) from None
        except Fault as fault:
            raise Fault(fault.code, fault.message, field=field, retry_after=fault.retry_after) from None

    def _found(self, path: str, field: str) -> Any:
        value: Any = self._scope
        names = path.split(".")
        for place, name in enumerate(names):
            match value:
                case dict() if name in value:
                    value = value[name]
                case list() if name.isdigit() and int(name) < len(value):
                    value = value[int(name)]
                case _:
                    there = _has(".".join(names[:place]), value)
                    raise Fault(Code.INVALID, f"There is no value for {path}{there}.", field=field)
        return value


def _segments(url: str) -> list[str]:
    return url.partition("?")[0].partition("#")[0].split("/")


def _has(path: str, value: Any) -> str:
    """What there is in its place, by name."""
    if not path or not isinstance(value, dict) or not value:
        return ""
    return f": {path} has {', '.join(sorted(map(str, value))[:_MOST_NAMED])}"


async def check(renderer: Renderer, value: Any, field: str, earlier: set[str]) -> None:
    """Raises Fault INVALID for a text that could never be filled; `earlier` are the steps that it may speak of."""
    for place, source in texts(value, field):
        if is_jinja(source):
            await _check_jinja(renderer, source, place)
            continue
        for path in _PATH.findall(source):
            root, *rest = path.split(".")
            _know_root(root, place)
            if root == "steps" and (not rest or rest[0] not in earlier):
                message = f"{path} speaks of no earlier step: expected steps.<name>, of {_listed(earlier)}."
                raise Fault(Code.INVALID, message, field=place)


async def _check_jinja(renderer: Renderer, source: str, field: str) -> None:
    try:
        names = await renderer.names(Template(source, [], (), plain=False))
    except Fault as fault:
        raise Fault(fault.code, fault.message, field=field, retry_after=fault.retry_after) from None
    for name in names:
        _know_root(name, field)


def _know_root(name: str, field: str) -> None:
    if name not in ROOTS:
        raise Fault(Code.INVALID, f"{name!r} is nothing that a step knows: expected {', '.join(ROOTS)}.", field=field)


def texts(value: Any, field: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text in it with its place. Raises Fault INVALID for what is nested too deep."""
    if depth > _DEEPEST:
        raise Fault(Code.INVALID, f"This is nested more than {_DEEPEST} levels deep.", field=field)
    match value:
        case str():
            yield field, value
        case list():
            for place, item in enumerate(value):
                yield from texts(item, f"{field}[{place}]", depth + 1)
        case dict():
            for key, item in value.items():
                yield from texts(item, f"{field}.{key}", depth + 1)
        case _:
            return


def speaks_of(kind: Struct, name: str) -> bool:
    """Whether a template in it may: what a sealed header says is not known here."""
    word = re.compile(rf"\b{name}\b", re.ASCII)
    sources = (source for _, source in texts(msgspec.to_builtins(kind), ""))
    return any(source == KEPT or (is_template(source) and word.search(source) is not None) for source in sources)


def is_template(source: str) -> bool:
    return _JINJA.search(source) is not None


def is_jinja(source: str) -> bool:
    """Whether there is more in it than paths."""
    return is_template(_PATH.sub("", source))


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "which there are none"
