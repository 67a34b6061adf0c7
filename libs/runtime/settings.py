"""Settings: a frozen Struct per service, read from the environment once, at the start.

Field `nats_url` is read from NATS_URL, or from the file that NATS_URL_FILE names (for secrets). An empty variable
counts as not given, so that a compose file may pass on what is not set. Whatever is wrong is said in one line per
variable (its name, what was given, what is expected), and what was given is never shown where it may be a secret.
"""

import os
import re
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, structs

from libs.blobs import check_url
from libs.egress.ranges import parse_networks
from libs.runtime.sealing import parse_keys

S = TypeVar("S", bound=Struct)

_SECRET = re.compile(r"(KEY|KEYS|PASSWORD|SECRET|TOKEN|DSN)$")
_EXPECTED = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}

Port = Annotated[int, Meta(ge=0, le=65535, description="a port from 0 (any free one) to 65535")]


class Common(Struct, kw_only=True, frozen=True):
    """What every service is told; a service adds its own fields."""

    nats_url: str = "nats://127.0.0.1:4222"
    nats_user: str = ""
    nats_password: str = ""
    postgres_dsn: Annotated[str, Meta(description="postgresql://role:password@host:5432/database")]
    postgres_pool_size: Annotated[int, Meta(ge=1, description="a whole number from 1")] = 8
    # 0 behind PgBouncer in transaction mode.
    postgres_statement_cache_size: Annotated[int, Meta(ge=0, description="a whole number from 0")] = 100
    blobs_url: Annotated[str, Meta(description="file:///folder or s3://bucket/prefix")]
    private_host: str = "127.0.0.1"
    private_port: Port = 0
    # From SIGTERM to the end: all but the last five are for finishing what was accepted.
    stop_seconds: Annotated[float, Meta(ge=1, description="a number of seconds from 1")] = 27.5
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # "kid:base64,kid2:base64" of 32 bytes each; the first seals, the others still open.
    master_keys: str = ""
    # "127.0.0.0/8,10.1.2.3": what users' URLs may reach besides the public internet.
    egress_allow_cidrs: str = ""

    def __post_init__(self) -> None:
        for field, check in (
            ("blobs_url", check_url),
            ("master_keys", parse_keys),
            ("egress_allow_cidrs", parse_networks),
        ):
            try:
                check(getattr(self, field))
            except ValueError as wrong:
                raise ValueError(f"{field.upper()}: {wrong}") from None


class BadSettings(Exception):
    """The environment does not make a valid set of settings; `lines` names each variable and what it should be."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


def load(settings: type[S], environ: Mapping[str, str] = os.environ) -> S:
    """The settings, or the end of the process (exit code 2) with one line per bad variable."""
    try:
        return read(settings, environ)
    except BadSettings as bad:
        _end(bad.lines)


def read(settings: type[S], environ: Mapping[str, str]) -> S:
    """Raises BadSettings."""
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for field in structs.fields(settings):
        try:
            values |= _value(field, environ)
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise BadSettings(wrong)
    try:
        return settings(**values)
    except ValueError as error:
        raise BadSettings([str(error)]) from None


def _value(field: structs.FieldInfo, environ: Mapping[str, str]) -> dict[str, Any]:
    """`{field: value}`, or nothing where its default holds. Raises ValueError with the line to show."""
    name = field.name.upper()
    given = _given(name, environ)
    if not given:
        if field.required:
            raise ValueError(f"{name} is missing: expected {_expected(field.type)}")
        return {}
    try:
        return {field.name: msgspec.convert(given, field.type, strict=False)}
    except msgspec.ValidationError:
        shown = "" if _SECRET.search(name) else f" is {given!r}"
        raise ValueError(f"{name}{shown or ' is not valid'}: expected {_expected(field.type)}") from None


def _given(name: str, environ: Mapping[str, str]) -> str:
    value, path = environ.get(name, ""), environ.get(f"{name}_FILE", "")
    if value and path:
        raise ValueError(f"{name} and {name}_FILE are both set: keep one")
    return _content(name, path) if path else value


def _content(name: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"{name}_FILE is {path!r}, which can't be read: {reason}") from None


def _expected(type_: Any) -> str:
    """A type in words; a description in its Meta goes first."""
    if get_origin(type_) is Annotated:
        described = [meta.description for meta in type_.__metadata__ if isinstance(meta, Meta) and meta.description]
        return described[0] if described else _expected(get_args(type_)[0])
    return _EXPECTED.get(type_) or " or ".join(_choices(type_)) or f"a {getattr(type_, '__name__', type_)}"


def _choices(type_: Any) -> Iterator[str]:
    if get_origin(type_) is Literal:
        yield from map(str, get_args(type_))
    elif get_origin(type_) in (Union, types.UnionType):
        yield from (_expected(choice) for choice in get_args(type_) if choice is not type(None))


def _end(lines: list[str]) -> NoReturn:
    sys.stderr.write("".join(f"{line}\n" for line in lines))
    raise SystemExit(2)
