"""What can't be read as an HTTP request: it has no voice yet, and is answered plainly, in our own words.

aiohttp would quote what was sent, and name packages to install. It is no failure of ours either: no line in the log.
"""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError, LineTooLong

from services.gateway.http.problems import Problem, plainly

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_LONGEST_LINE = 8190


class Connection(web.RequestHandler):
    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        answer = super().handle_error(request, status, exc, message)
        if not isinstance(exc, HttpProcessingError):
            return answer
        return _told(400, _sentence(exc))


def _told(status: int, sentence: str) -> web.Response:
    told = plainly(Problem(status, "BAD_REQUEST", sentence))
    told.force_close()
    return told


def _sentence(error: HttpProcessingError) -> str:
    match error:
        case LineTooLong():
            return f"The address or a header is longer than the {_LONGEST_LINE:,} bytes allowed."
        case ContentEncodingError():
            return "The body's Content-Encoding can't be read: send it with gzip or deflate, or as it is."
        case _:
            return "This is no valid HTTP request."


class Server(web.Server):
    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Serves an application as any runner does, but for what is not readable."""

    async def _make_server(self) -> Server:
        made = await super()._make_server()
        return Server(_expecting(made.request_handler), request_factory=made.request_factory, **self._kwargs)


def _expecting(handler: Handler) -> Handler:
    """aiohttp looks at `Expect` before any middleware is asked."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPExpectationFailed:
            return _told(417, "Of the Expect header nothing but 100-continue is understood.")

    return answer


def http_log() -> logging.Logger:
    """Without what clients send that can't be read: it gets its 400."""
    logger = logging.getLogger("gateway.http")
    logger.addFilter(_is_ours)
    return logger


def _is_ours(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError | web.RequestPayloadError))
