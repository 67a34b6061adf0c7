"""The child process that renders templates, checks JSON Schemas, searches for patterns and reads YAML: the walls
around what workspaces write.

It reads length-prefixed requests from stdin and answers each on stdout. The kernel bounds its memory and the CPU time
of each request, this module what an operator may make and how long a text may grow; the parent keeps the deadline.
"""

import ctypes
import functools
import re
import resource
import signal
import sys
from typing import Any, BinaryIO

import msgspec
from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, UndefinedError, meta
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.runner.prompting.templates import spelled
from services.runner.sandbox import (
    LENGTH,
    LONGEST,
    Answered,
    Asked,
    Decode,
    Invalid,
    Match,
    Missing,
    Named,
    Names,
    Refused,
    Render,
    Rendered,
    Valid,
    Validate,
)

MEMORY = 512 * 1024 * 1024
CPU_SECONDS = 1
MOST_BITS = 4096


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox leaves `"x" * 200000000` and `9 ** 9 ** 9` to run: here they are refused before they do."""

    intercepted_binops = frozenset(["*", "**"])

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if operator == "*" and (_repeated(left, right) > LONGEST or _bits(left) + _bits(right) > MOST_BITS):
            raise SecurityError("a product is too large")
        if operator == "**" and isinstance(right, int) and _bits(left) * abs(right) > MOST_BITS:
            raise SecurityError("a power is too large")
        return super().call_binop(context, operator, left, right)


def _repeated(left: Any, right: Any) -> int:
    """The length of what a sequence times a number makes."""
    if isinstance(left, int):
        left, right = right, left
    return len(left) * abs(right) if isinstance(right, int) and hasattr(left, "__len__") else 0


def _bits(value: Any) -> int:
    return value.bit_length() if isinstance(value, int) else 0


def _finalized(value: Any) -> Any:
    return str(value) if isinstance(value, Undefined) else spelled(value)


def _environment() -> Sandbox:
    sandbox = Sandbox(undefined=StrictUndefined, finalize=_finalized, keep_trailing_newline=True)
    sandbox.globals.pop("lipsum")
    return sandbox


_sandbox = _environment()


@functools.lru_cache(maxsize=256)
def _compiled(source: str) -> Template:
    return _sandbox.from_string(source)


def answer(asked: Asked) -> Answered:
    try:
        match asked:
            case Names(source):
                _compiled(source)
                return Named(sorted(meta.find_undeclared_variables(_sandbox.parse(source))))
            case Render(source, values):
                return Rendered(_rendered(_compiled(source), values))
            case Validate(schema, text):
                return _validated(schema, text)
            case Match(pattern, text):
                return _matched(pattern, text)
            case Decode(text):
                return _decoded(text)
    except UndefinedError as error:
        name = re.fullmatch(r"'(\w+)' is undefined", error.message or "")
        return Missing(name[1]) if name else Refused(error.message or "a value is undefined")
    except TemplateSyntaxError as error:
        return Refused(f"line {error.lineno}: {error.message}")
    except (MemoryError, RecursionError):
        return Refused("it needs too much memory")
    except (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        return Refused(str(error) or type(error).__name__)


def _validated(schema: bytes, text: str | None) -> Answered:
    """Schemas have a module of their own: who renders templates needs none of it."""
    from services.runner.sandbox import schemas

    return schemas.answer(schema, text)


def _decoded(text: bytes) -> Answered:
    from services.runner.sandbox import yaml

    return yaml.answer(text)


def _matched(pattern: str, text: str | None) -> Answered:
    """A pattern may backtrack for ever: then the kernel ends this process."""
    try:
        compiled = re.compile(pattern)
    except re.error as wrong:
        return Refused(str(wrong))
    return Valid() if text is None or compiled.search(text) else Invalid("$", "the pattern is not found in it")


def _rendered(template: Template, values: dict[str, Any]) -> str:
    parts: list[str] = []
    length = 0
    for part in template.generate(values):
        length += len(part)
        if length > LONGEST:
            raise SecurityError("the text grows too long")
        parts.append(part)
    return "".join(parts)


def _confine() -> None:
    """No more memory than this, no files, no core; and death with the parent."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _allow_cpu_time() -> None:
    """The next request's share: beyond it the kernel ends this process (SIGXCPU)."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    spent = int(used.ru_utime + used.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (spent + CPU_SECONDS + 1, resource.RLIM_INFINITY))


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    questions = msgspec.msgpack.Decoder(Asked)
    while head := requests.read(LENGTH.size):
        _allow_cpu_time()
        body = msgspec.msgpack.encode(answer(questions.decode(requests.read(LENGTH.unpack(head)[0]))))
        replies.write(LENGTH.pack(len(body)) + body)
        replies.flush()


if __name__ == "__main__":
    _confine()
    serve(sys.stdin.buffer, sys.stdout.buffer)
