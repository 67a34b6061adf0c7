"""Tools that are an HTTP request: arguments in their places, the answer as text.

Which host is asked is the tool's to say, never the model's: a URL has no arguments before its path.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from libs.contracts.faults import Code, Fault
from libs.contracts.tools import Http, Place
from libs.egress import Egress, Response
from services.runner.prompting.templates import spelled

_ARGUMENT = re.compile(r"\{([^{}/?&=#]+)\}")
_WITHOUT_BODY = frozenset({"GET", "HEAD", "DELETE"})
_REDIRECTS = 3
# What is read of an answer, in bytes; what the model is told of it is less.
_LARGEST = 1024 * 1024
_LONGEST_ERROR = 2000
_LONGEST_WAIT = 600.0
_CHARSET = re.compile(r"charset=\"?([\w.:-]+)", re.IGNORECASE)


def arguments_of(url: str) -> list[str]:
    return _ARGUMENT.findall(url)


def check(egress: Egress, request: Http, parameters: dict[str, Any]) -> None:
    """Raises Fault INVALID for an address that may not be asked, and for an argument that no parameter is."""
    origin, _, _ = request.url.partition("//")[2].partition("/")
    if "{" in origin.partition("?")[0]:
        raise Fault(Code.INVALID, "Arguments may stand in a URL's path and query alone.", field="url")
    egress.check(_ARGUMENT.sub("x", request.url))
    known = parameters.get("properties", {})
    if unknown := [name for name in (*arguments_of(request.url), *request.places) if name not in known]:
        raise Fault(Code.INVALID, f"There is no parameter {unknown[0]!r} among the tool's parameters.", field="url")


async def call(egress: Egress, request: Http, arguments: dict[str, Any], headers: Mapping[str, str]) -> str:
    """What the server answers, in the time that its caller gives it. Raises Fault for what is no answer, or no text."""
    placed = _placed(request, arguments)
    body, sent = _body(placed), _headers(placed["header"], headers)
    if body and not any(name.lower() == "content-type" for name in sent):
        sent["Content-Type"] = "application/json"
    url = _url(request.url, placed)
    answer = await egress.request(
        request.method, url, headers=sent, body=body, deadline=_LONGEST_WAIT, max_bytes=_LARGEST, redirects=_REDIRECTS
    )
    text = text_of(answer)
    if not 200 <= answer.status < 300:
        raise Fault(Code.UPSTREAM, f"the server answered {answer.status}{text and ': ' + text[:_LONGEST_ERROR]}")
    return text


def _placed(request: Http, arguments: dict[str, Any]) -> dict[Place, dict[str, Any]]:
    in_url = set(arguments_of(request.url))
    rest: Place = "query" if request.method in _WITHOUT_BODY else "field"
    placed: dict[Place, dict[str, Any]] = {"path": {}, "query": {}, "header": {}, "field": {}, "body": {}}
    for name, value in arguments.items():
        place: Place = "path" if name in in_url else request.places.get(name, rest)
        placed[place][name] = value
    return placed


def _url(template: str, placed: dict[Place, dict[str, Any]]) -> str:
    path, mark, query = template.partition("?")
    values = placed["path"]
    filled = _ARGUMENT.sub(lambda match: _segment(match[1], values), path)
    filled_query = _ARGUMENT.sub(lambda match: quote(spelled(_given(match[1], values)), safe=""), query)
    added = urlencode([pair for name, value in placed["query"].items() for pair in _pairs(name, value)])
    joined = "&".join(filter(None, [filled_query, added]))
    return f"{filled}?{joined}" if joined else filled + mark


def _segment(name: str, values: dict[str, Any]) -> str:
    """A part of the path, which leads nowhere else in it."""
    text = spelled(_given(name, values))
    if text in ("", ".", ".."):
        raise Fault(Code.INVALID, f"invalid arguments: $.{name}: {text!r} can't stand in a path")
    return quote(text, safe="")


def _given(name: str, values: dict[str, Any]) -> Any:
    if name not in values:
        raise Fault(Code.INVALID, f"invalid arguments: $: {name!r} is a required property")
    return values[name]


def _pairs(name: str, value: Any) -> list[tuple[str, str]]:
    """A list is several values (`form` style, exploded)."""
    return [(name, spelled(item)) for item in (value if isinstance(value, list) else [value])]


def _headers(given: dict[str, Any], own: Mapping[str, str]) -> dict[str, str]:
    """The tool's own headers go before what the model says."""
    taken = {name.lower() for name in own}
    said = {name: spelled(value) for name, value in given.items() if name.lower() not in taken}
    return {**said, **own}


def _body(placed: dict[Place, dict[str, Any]]) -> bytes:
    for value in placed["body"].values():
        return msgspec.json.encode(value)
    return msgspec.json.encode(placed["field"]) if placed["field"] else b""


def text_of(answer: Response) -> str:
    """Raises Fault UNSUPPORTED for what is none."""
    kind = answer.headers.get("content-type", "")
    if b"\0" in answer.body:
        raise Fault(Code.UNSUPPORTED, f"the server answered with {kind.partition(';')[0] or 'bytes'}, which is no text")
    charset = _CHARSET.search(kind)
    try:
        return answer.body.decode(charset[1] if charset else "utf-8", errors="replace")
    except LookupError:
        return answer.body.decode(errors="replace")
