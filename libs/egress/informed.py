"""How much a server may say before its answer: a few informational responses (1xx), which nobody here asked for.

aiohttp skips them for as long as they come, and a server that sends nothing else keeps the whole process busy.
"""

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader

_MOST = 16


class Informed(ResponseHandler):
    """A connection that is closed where more of them come than anybody needs."""

    _count = 0

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        self._count = self._count + 1 if data[0].code // 100 == 1 else 0
        if self._count <= _MOST:
            super().feed_data(data, size)
        elif self.transport is not None:
            self.transport.close()
            self.set_exception(HttpProcessingError(message="too many informational responses"))
