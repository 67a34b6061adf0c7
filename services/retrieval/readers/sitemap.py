"""Sitemaps (sitemaps.org, protocol 0.9): the addresses of a site's pages, or of further sitemaps."""

from pathlib import Path
from typing import Any

from lxml.etree import LxmlError, QName, iterparse

from services.retrieval.readers import Unreadable
from services.retrieval.readers.calls import Listed

MOST_PAGES = 5_000
MOST_SITEMAPS = 20
_ROOTS = ("urlset", "sitemapindex")


def read(path: Path) -> Listed | None:
    """None where the file is no sitemap. Raises Unreadable for one that names too many addresses, or breaks off."""
    found: dict[str, list[str]] = {"url": [], "sitemap": []}
    is_sitemap = False
    try:
        for event, element in iterparse(
            str(path), events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False
        ):
            if not is_sitemap and _name(element) not in _ROOTS:
                return None
            is_sitemap = True
            if event == "end":
                _take(element, found)
    except LxmlError as error:
        if not is_sitemap:
            return None
        raise Unreadable("The sitemap is damaged and can't be read.") from error
    return Listed(found["url"], found["sitemap"])


def _take(element: Any, found: dict[str, list[str]]) -> None:
    """An address stands in the `loc` of a `url` or a `sitemap`; that of an image is another's."""
    parent = element.getparent()
    among = found.get(_name(parent)) if parent is not None and _name(element) == "loc" else None
    if among is not None and (address := (element.text or "").strip()):
        among.append(address)
    if len(found["url"]) > MOST_PAGES or len(found["sitemap"]) > MOST_SITEMAPS:
        raise Unreadable(
            f"The sitemap names more than {MOST_PAGES:,} pages or {MOST_SITEMAPS} sitemaps: add its parts one by one."
        )
    if _name(element) in found:
        element.clear()


def _name(element: Any) -> str:
    return QName(element).localname
