"""A headless Chromium, driven over its DevTools protocol: pages are looked at and used as a person does.

Debian's package `chromium` brings it; .ci/run installs it.
"""

import asyncio
import base64
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deploy.local.children import tied

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
)
_SECONDS = 60.0
_KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, "")}


def found() -> str:
    """The program. Skips the test where there is none, but never in CI."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or ""
    if not program and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed: apt-get install chromium")
    assert program, "CI needs Chromium"
    return program


class Page:
    """One tab. `complaints` are what its console and its policy had to say."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def listen(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if told.get("id") in self._waiting:
                self._waiting.pop(told["id"]).set_result(told)
            elif told.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(told["params"]["exceptionDetails"].get("exception", {}).get("description", ""))
            elif told.get("method") == "Log.entryAdded" and told["params"]["entry"]["level"] == "error":
                self.complaints.append(told["params"]["entry"]["text"])

    async def command(self, method: str, **params: Any) -> Any:
        id = next(self._ids)
        answer = self._waiting[id] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": id, "method": method, "params": params})
        told = await asyncio.wait_for(answer, _SECONDS)
        assert "error" not in told, (method, told)
        return told["result"]

    async def go(self, url: str) -> None:
        await self.command("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def value(self, script: str) -> Any:
        """What an expression is, a promise's value included."""
        told = await self.command("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    async def until(self, script: str) -> Any:
        """The first truthy value of an expression."""
        try:
            async with asyncio.timeout(_SECONDS):
                while not (value := await self.value(script)):  # noqa: ASYNC110 — it can only be asked for
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"never: {script}; the page says {await self.text('body')!r}") from None
        return value

    async def text(self, selector: str) -> str:
        return await self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    async def click(self, selector: str) -> None:
        await self.value(f"document.querySelector({json.dumps(selector)}).click()")

    async def write(self, text: str) -> None:
        """Into what has the focus."""
        await self.command("Input.insertText", text=text)

    async def press(self, key: str, *, shift: bool = False) -> None:
        code, text = _KEYS[key]
        held = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        await self.command("Input.dispatchKeyEvent", type="keyDown", text=text, **held)
        await self.command("Input.dispatchKeyEvent", type="keyUp", **held)

    async def choose(self, selector: str, *paths: Path) -> None:
        """Files, for an input that takes some."""
        document = await self.command("DOM.getDocument")
        node = await self.command("DOM.querySelector", nodeId=document["root"]["nodeId"], selector=selector)
        await self.command("DOM.setFileInputFiles", nodeId=node["nodeId"], files=[str(path) for path in paths])

    async def prefer(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.command("Emulation.setEmulatedMedia", features=features)

    async def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.command("Emulation.setDeviceMetricsOverride", **size)

    async def unnamed(self) -> list[str]:
        """The controls that someone who does not see the page is not told the name of."""
        tree = await self.command("Accessibility.getFullAXTree")
        roles = {"button", "textbox", "link", "dialog", "Iframe"}
        shown = [node for node in tree["nodes"] if not node["ignored"] and node["role"]["value"] in roles]
        return [node["role"]["value"] for node in shown if not node.get("name", {}).get("value")]

    async def picture(self, path: Path) -> None:
        told = await self.command("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(told["data"]))


class Browser:
    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session, self._address = session, address

    @asynccontextmanager
    async def page(self) -> AsyncGenerator[Page]:
        """A new tab."""
        async with self._session.put(f"{self._address}/json/new?about:blank") as answer:
            target = await answer.json(content_type=None)
        async with self._attached(target) as page:
            yield page
        await self._session.get(f"{self._address}/json/close/{target['id']}")

    @asynccontextmanager
    async def frame(self, part: str) -> AsyncGenerator[Page]:
        """The frame of another site whose address holds `part`."""
        async with asyncio.timeout(_SECONDS):
            while not (target := await self._target(part)):  # noqa: ASYNC110 — it can only be asked for
                await asyncio.sleep(0.02)
        async with self._attached(target) as page:
            yield page

    async def _target(self, part: str) -> Any:
        async with self._session.get(f"{self._address}/json/list") as answer:
            targets = await answer.json(content_type=None)
        return next((each for each in targets if each["type"] == "iframe" and part in each["url"]), None)

    @asynccontextmanager
    async def _attached(self, target: Any) -> AsyncGenerator[Page]:
        async with self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
            page = Page(socket)
            listening = asyncio.create_task(page.listen())
            for domain in ("Page", "Runtime", "Log", "DOM", "Accessibility"):
                await page.command(f"{domain}.enable")
            try:
                yield page
            finally:
                listening.cancel()


@asynccontextmanager
async def browser() -> AsyncGenerator[Browser]:
    program = found()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True))
        process = await asyncio.create_subprocess_exec(
            *(program, *_FLAGS, f"--user-data-dir={folder}", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=tied(),
        )
        stack.push_async_callback(process.wait)
        stack.callback(lambda: process.kill() if process.returncode is None else None)
        address = f"http://127.0.0.1:{await _port(Path(folder))}"
        yield Browser(await stack.enter_async_context(aiohttp.ClientSession()), address)


async def _port(folder: Path) -> str:
    """The browser writes down on which port it listens."""
    async with asyncio.timeout(_SECONDS):
        told = folder / "DevToolsActivePort"
        while not told.exists() or not told.read_text():  # noqa: ASYNC110 — nobody tells
            await asyncio.sleep(0.05)
    return told.read_text().splitlines()[0]
