"""Requests: the id of each, which goes back to the client and into every line that is logged of it."""

from uuid import uuid4

from aiohttp import web

REQUEST = web.RequestKey("request_id", str)
REQUEST_ID = "X-Request-Id"
_LONGEST = 128


def request_id(request: web.Request) -> str:
    """The client's own id where it is fit to be logged and said back."""
    given = request.headers.get(REQUEST_ID, "")
    fit = given.isascii() and given.isprintable() and len(given) <= _LONGEST
    return given if given and fit else uuid4().hex
