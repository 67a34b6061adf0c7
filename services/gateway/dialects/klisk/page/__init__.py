"""The chat page and the widget: files without a build step, put together once.

The page is one document with its style and scripts inside, so that it works under any prefix; its policy lets nothing
else run in it, and lets it ask nobody but this engine.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path

from aiohttp import web

from services.gateway.dialects.klisk.auth import PREFIX

_FOLDER = Path(__file__).parent
_STYLES = ("page.css",)
_SCRIPTS = ("markdown.js", "stream.js", "page.js")
# In a browser's cache for a while, then asked for again.
_CACHED = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}


def chat() -> web.Response:
    html, policy = _document()
    headers = _CACHED | {"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    return web.Response(text=html, content_type="text/html", charset="utf-8", headers=headers)


def widget(*, under_prefix: bool) -> web.Response:
    """The page is under the prefix alone, wherever the script comes from."""
    script = _read("widget.js").replace("__PAGE__", "./" if under_prefix else f".{PREFIX}/")
    return web.Response(text=script, content_type="text/javascript", charset="utf-8", headers=_CACHED)


@cache
def _document() -> tuple[str, str]:
    """The page, and the policy that it is sent with."""
    style, script = _joined(_STYLES), _joined(_SCRIPTS)
    html = _read("page.html").replace("/* style */", style).replace("/* script */", script)
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; connect-src 'self'; "
        "img-src data: blob:; form-action 'none'; base-uri 'none'"
    )
    return html, policy


def _joined(names: tuple[str, ...]) -> str:
    return "\n".join(_read(name) for name in names)


@cache
def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
