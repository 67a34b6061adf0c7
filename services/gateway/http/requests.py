"""Requests: the id of each, which goes back to the client and into every line that is logged of it."""

import itertools
import secrets

from aiohttp import web

REQUEST = web.RequestKey("request_id", str)
REQUEST_ID = "X-Request-Id"
# In an answer that is a run's, or its stream.
RUN_ID = "X-Run-Id"
_LONGEST = 128

# A number of this process's own for each request is as unique as a random one, and costs no system call.
_process = secrets.token_hex(8)
_numbers = itertools.count(1)


def request_id(request: web.Request) -> str:
    """The client's own id where it is fit to be logged and said back."""
    given = request.headers.get(REQUEST_ID, "")
    fit = given.isascii() and given.isprintable() and len(given) <= _LONGEST
    return given if given and fit else f"{_process}-{next(_numbers)}"
