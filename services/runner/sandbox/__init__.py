"""What the child process is asked and answers that works on what workspaces write: it renders templates, checks JSON
Schemas, searches for patterns and reads YAML.

The child is `python -m services.runner.sandbox`, the asking side `sandbox.parent`. Each message is preceded by its
length. This module is light: what the child works with is imported in the child alone.
"""

import struct
from typing import Any

from msgspec import Struct

LENGTH = struct.Struct(">I")
LONGEST = 8 * 1024 * 1024


class Render(Struct, frozen=True, tag="render"):
    source: str
    values: dict[str, Any]


class Names(Struct, frozen=True, tag="names"):
    """Asks for a template's variables, and so whether it is well formed."""

    source: str


class Validate(Struct, frozen=True, tag="validate"):
    """Asks whether a text is JSON that fits a schema, which is JSON too; without a text, whether that is a schema."""

    schema: bytes
    text: str | None = None


class Match(Struct, frozen=True, tag="match"):
    """Asks whether a pattern is found in a text; without a text, whether it is one."""

    pattern: str
    text: str | None = None


class Decode(Struct, frozen=True, tag="decode"):
    """Asks for a text in YAML as JSON."""

    text: bytes


class Rendered(Struct, frozen=True, tag="rendered"):
    text: str


class Named(Struct, frozen=True, tag="named"):
    names: list[str]


class Missing(Struct, frozen=True, tag="missing"):
    name: str


class Valid(Struct, frozen=True, tag="valid"):
    """It is."""


class Invalid(Struct, frozen=True, tag="invalid"):
    """It is not, at this JSONPath."""

    path: str
    reason: str


class Decoded(Struct, frozen=True, tag="decoded"):
    json: bytes


class Refused(Struct, frozen=True, tag="refused"):
    reason: str


Asked = Render | Names | Validate | Match | Decode
Answered = Rendered | Named | Missing | Valid | Invalid | Decoded | Refused
