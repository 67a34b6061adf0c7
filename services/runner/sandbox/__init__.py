"""What the child process that renders Jinja2 templates is asked and answers.

The child is `python -m services.runner.sandbox`, the asking side `rendering.Renderer`. Each message is preceded by its
length. This module is light: Jinja2 is imported in the child alone.
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


class Rendered(Struct, frozen=True, tag="rendered"):
    text: str


class Named(Struct, frozen=True, tag="named"):
    names: list[str]


class Missing(Struct, frozen=True, tag="missing"):
    name: str


class Refused(Struct, frozen=True, tag="refused"):
    reason: str


Asked = Render | Names
Answered = Rendered | Named | Missing | Refused
