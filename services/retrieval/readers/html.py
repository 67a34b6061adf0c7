"""HTML: what a reader of the page sees, with headings and lists marked as in Markdown."""

import re
from collections.abc import Iterator
from pathlib import Path

from selectolax.lexbor import LexborHTMLParser, LexborNode

from services.retrieval.readers import Unreadable
from services.retrieval.readers.plain import decoded

_UNSEEN = "script, style, template, noscript, svg, iframe, nav, [hidden]"
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_BLOCKS = {"p", "div", "section", "article", "ul", "ol", "table", "blockquote", "pre", "dl", "form", "header", "footer"}
_LINES = {"br", "tr", "dt", "dd", "hr", "option"}
_CELLS = {"td", "th"}
# The time that any HTML parser takes grows with the square of the depth.
_DEEPEST = 5_000
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)([^<>]*)")
_UNCLOSED = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "wbr"} | {
    *("p", "li", "dd", "dt", "option", "tbody", "td", "tfoot", "th", "thead", "tr")
}


def read(path: Path, media_type: str = "") -> Iterator[str]:
    source = decoded(path.read_bytes(), media_type)
    if _depth(source) > _DEEPEST:
        raise Unreadable("The page is nested too deeply to be read.")
    tree = LexborHTMLParser(source)
    for unseen in tree.css(_UNSEEN):
        unseen.decompose()
    if tree.body is None:
        raise Unreadable("The page holds no text.")
    if (title := tree.css_first("head > title")) and (text := title.text(strip=True)):
        yield f"# {text}\n\n"
    yield from _seen(tree.body)


def _depth(source: str) -> int:
    """About how deep the page nests, without parsing it; elements that may stay open don't count."""
    depth = deepest = 0
    for closing, tag, attributes in _TAG.findall(source):
        if tag.lower() not in _UNCLOSED and not attributes.endswith("/"):
            depth = max(0, depth - 1) if closing else depth + 1
            deepest = max(deepest, depth)
    return deepest


def _seen(body: LexborNode) -> Iterator[str]:
    """Walks without recursion: a page may nest as deep as it likes."""
    node: LexborNode | None = body.child
    while node is not None:
        yield _opened(node)
        if node.child is not None:
            node = node.child
            continue
        while node is not None and node.next is None:
            node = node.parent
            # By address: two nodes are compared by their whole HTML.
            if node is None or node.mem_id == body.mem_id:
                return
            yield _closed(node)
        node = node.next


def _opened(node: LexborNode) -> str:
    tag = node.tag or ""
    if tag == "-text":
        return _text(node)
    if tag in _HEADINGS:
        return "\n\n" + _HEADINGS[tag]
    if tag == "li":
        return "\n- "
    return "\n\n" if tag in _BLOCKS else "\n" if tag in _LINES else ""


def _closed(node: LexborNode) -> str:
    tag = node.tag or ""
    if tag in _CELLS:
        return " | "
    return "\n\n" if tag in _BLOCKS or tag in _HEADINGS else ""


def _text(node: LexborNode) -> str:
    text = node.text_content or ""
    if node.parent is not None and node.parent.tag == "pre":
        return text
    words = " ".join(text.split())
    return f"{' ' * text[:1].isspace()}{words}{' ' * (bool(words) and text[-1:].isspace())}"
