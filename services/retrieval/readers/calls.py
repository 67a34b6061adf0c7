"""What the process that reads files is asked, and what it leaves in the result file. Light: both sides import it."""

from msgspec import Struct

from services.retrieval.chunking import Bounds, Span


class Read(Struct, frozen=True):
    """`result` is the file to write; `seconds` of CPU time and `memory` in bytes are all that the work gets.

    What is `plain` was given as text, whatever it looks like. Of a `sitemap` the addresses are wanted, where it is one.
    """

    path: str
    result: str
    name: str
    media_type: str
    plain: bool
    bounds: Bounds
    characters: int
    seconds: int
    memory: int
    sitemap: bool = False


class Text(Struct, frozen=True, tag="text"):
    """A file's text and where its chunks are."""

    text: str
    chunks: list[Span]


class Refused(Struct, frozen=True, tag="refused"):
    reason: str


class Listed(Struct, frozen=True, tag="listed"):
    """A sitemap's addresses: those of pages, or those of further sitemaps."""

    pages: list[str]
    sitemaps: list[str]


Result = Text | Refused | Listed

# Exit codes of the work, besides 0: the result file says how it went.
TOO_MUCH_MEMORY = 3
BROKEN = 4
