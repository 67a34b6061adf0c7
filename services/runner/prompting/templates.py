"""Prompt templates: `{{variable}}` filled from a run's inputs.

Plain names are filled in process, from a template parsed once for each version of an action. Anything more (filters,
conditions, loops) is Jinja2 and is rendered by the sandbox, in a child process.
"""

import re
from typing import Any

import msgspec
from msgspec import Struct

from libs.contracts.faults import Code, Fault

_PLAIN = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_JINJA = re.compile(r"\{[{%#]")


class Template(Struct, frozen=True):
    """`parts` alternates between literal text and a variable's name, and begins and ends with text.

    `names` are the variables in the order they first stand in. A template that is no plain one has neither.
    """

    source: str
    parts: list[str]
    names: tuple[str, ...]
    plain: bool = True

    def fill(self, values: dict[str, Any]) -> str:
        """Of a plain template. Raises Fault INVALID that names the variable without a value."""
        if not self.names:
            return self.source
        filled = self.parts.copy()
        for at in range(1, len(filled), 2):
            name = filled[at]
            if name not in values:
                raise missing(name)
            filled[at] = spelled(values[name])
        return "".join(filled)


def parse(source: str) -> Template:
    parts = _PLAIN.split(source)
    if any(_JINJA.search(text) for text in parts[::2]):
        return Template(source, [], (), plain=False)
    return Template(source, parts, tuple(dict.fromkeys(parts[1::2])))


def spelled(value: Any) -> str:
    """A value as it stands in a prompt: text as it is, anything else as JSON, nothing for null."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


def missing(name: str) -> Fault:
    return Fault(Code.INVALID, f"The prompt needs a value for {name!r}: give input.{name}.", field=f"input.{name}")


def values(names: tuple[str, ...], inputs: str | dict[str, Any]) -> dict[str, Any]:
    """What fills the template whose variables are `names`: a text fills the only one there is."""
    if isinstance(inputs, dict):
        return inputs
    return {names[0]: inputs} if len(names) == 1 else {}


def appended(rendered: str, inputs: str) -> str:
    """A text given to a template without variables stands below it."""
    return f"{rendered}\n\n{inputs}" if rendered and inputs else rendered or inputs
