"""A request on its way: where it goes now, and what of it may follow a redirect."""

import re

from yarl import URL

from libs.contracts.faults import Code, Fault

REDIRECTS = frozenset({301, 302, 303, 307, 308})

# What may go along to another origin.
_HARMLESS = frozenset({"accept", "accept-language", "content-type", "user-agent"})
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f]")


class Sent:
    """The request of the current hop."""

    def __init__(self, method: str, url: URL, headers: dict[str, str], body: bytes) -> None:
        if _CONTROLS.search("".join((*headers, *headers.values()))):
            raise Fault(Code.INVALID, "A header may not contain control characters.", field="headers")
        self.method, self.url, self.headers, self.body = method, url, headers, body

    @property
    def host(self) -> str:
        return self.url.host or ""

    def follow(self, status: int, url: URL) -> None:
        """As browsers do (Fetch, section 4.4): 303 and a moved POST become GET; credentials stay with their origin."""
        if status == 303 or (status in (301, 302) and self.method == "POST"):
            self.method, self.body = "GET", b""
            self.headers = {name: value for name, value in self.headers.items() if name.lower() != "content-type"}
        if url.origin() != self.url.origin():
            self.headers = {name: value for name, value in self.headers.items() if name.lower() in _HARMLESS}
        self.url = url


def joined(url: URL, location: str) -> str:
    """The target of a redirect. Raises Fault UPSTREAM where it is no URL."""
    try:
        return str(url.join(URL(location)))
    except ValueError:
        raise Fault(Code.UPSTREAM, f"{url.host} redirects to what is no URL.") from None
