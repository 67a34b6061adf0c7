"""The chat page and the widget in a real browser: used as a person uses them, cut off as networks are."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from aiohttp import web
from msgspec.structs import replace

from libs.contracts import feed, runs, sessions
from libs.contracts.faults import Code, Failure
from tests.dialects.klisk.conftest import DONE, HELPER
from tests.dialects.klu import examples
from tests.services.gateway.peers import Door
from tests.support.chromium import Browser, Page
from tests.support.gate import gate
from tests.support.servers import free_port

pytestmark = pytest.mark.asyncio

STARTED = feed.Started(HELPER.id, None, "m", "p")
LAST = "[...document.querySelectorAll('.agent')].at(-1)"


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, agents: Door) -> AsyncIterator[Page]:
    async with chromium.page() as opened:
        yield opened


def starts(door: Door) -> list[runs.StartRun]:
    return [asked for asked in door.peers.asked if isinstance(asked, runs.StartRun)]


async def until_started(door: Door, count: int = 1) -> None:
    async with asyncio.timeout(60), door.peers.moved:
        await door.peers.moved.wait_for(lambda: len(starts(door)) >= count)


async def opened(page: Page, url: str, *, key: str) -> None:
    await page.go(f"{url}/klisk/#key={key}")
    await page.until("document.getElementById('status').textContent === 'Ready'")


async def said(page: Page, text: str) -> None:
    await page.value("document.getElementById('message').focus()")
    await page.write(text)
    await page.press("Enter")


async def test_an_answer_is_written_while_it_comes_with_its_thoughts_and_tools(page, agents, holder):
    await opened(page, agents.url, key=agents.key)
    assert await page.text("h1") == "Helper"
    await said(page, "Why <b>?")
    await until_started(agents)
    assert starts(agents)[0].inputs == "Why <b>?"
    assert await page.value("document.querySelector('.user .text').textContent") == "Why <b>?"
    await holder.emit(STARTED, feed.Thinking("First I look."), runs.ToolCall("1", "look", '{"at": "it"}'))
    await page.until(f"{LAST}.querySelector('.tool')?.innerText.includes('look · running')")
    await holder.emit(feed.ToolResult("1", "look", "It is blue."), feed.Token("It is **blu"))
    await page.until(f"{LAST}.querySelector('.text').textContent.includes('It is **blu')")
    assert await page.value("document.body.classList.contains('busy')")
    await holder.emit(
        feed.Token("e**.\n\n```\n<i>1</i>\n```\n\n- [site](https://example.com)\n- [bad](javascript:1)"), DONE
    )
    await page.until("!document.body.classList.contains('busy')")
    assert await page.value(f"{LAST}.querySelector('strong').textContent") == "blue"
    assert await page.value(f"{LAST}.querySelector('pre code').textContent") == "<i>1</i>"
    assert await page.value(f"[...{LAST}.querySelectorAll('a')].map(a => a.href)") == ["https://example.com/"]
    assert await page.value(f"{LAST}.querySelector('.thinking').textContent") == "Thought about itFirst I look."
    assert "It is blue." in await page.value(f"{LAST}.querySelector('.tool').textContent")
    assert page.complaints == []
    assert await page.unnamed() == []


async def test_the_next_message_goes_on_from_the_last_answer_and_a_new_conversation_does_not(page, agents, holder):
    await agents.peers.answer(sessions.CONTINUE, examples.session)
    await opened(page, agents.url, key=agents.key)
    for count in (1, 2):
        await said(page, "Why?")
        await until_started(agents, count)
        await holder.emit(STARTED, feed.Token("So."), DONE)
        await page.until("!document.body.classList.contains('busy')")
    await page.click("#anew")
    assert await page.value("document.querySelectorAll('.turn').length") == 0
    await said(page, "Why?")
    await until_started(agents, 3)
    await holder.emit(STARTED, DONE)
    assert [start.session_id for start in starts(agents)] == [None, examples.SESSION, None]


async def test_a_dropped_stream_goes_on_where_it_broke_off(page, agents, holder):
    async with gate(agents.url) as cut:
        await opened(page, cut.url, key=agents.key)
        await said(page, "Why?")
        await until_started(agents)
        await holder.emit(STARTED, feed.Token("Be"))
        await page.until(f"{LAST}.textContent.includes('Be')")
        await cut.shut()
        await page.until("document.getElementById('status').textContent.includes('trying again')")
        await agents.peers.answer(runs.GET, lambda get: replace(examples.run, id=get.run_id))
        await holder.emit(feed.Token("cause"), feed.Token("."), DONE)
        await cut.open()
        await page.until("!document.body.classList.contains('busy')")
    assert await page.value(f"{LAST}.querySelector('.text').textContent") == "Because."
    assert await page.text("#status") == "Ready"
    assert len(starts(agents)) == 1


async def test_what_a_dead_runner_said_goes_once_another_begins_anew(page, agents, holder):
    await opened(page, agents.url, key=agents.key)
    await said(page, "Why?")
    await until_started(agents)
    await holder.emit(STARTED, feed.Thinking("Hm."), feed.Token("Of the dead"), runs.ToolCall("1", "look", "{}"))
    await page.until(f"{LAST}.querySelector('.tool')?.innerText.includes('look · running')")
    await holder.restart(STARTED, feed.Token("Of the"))
    await page.until(f"{LAST}.querySelector('.text').textContent === 'Of the'")
    assert "look · failed" in await page.value(f"{LAST}.querySelector('.tool').innerText")
    await holder.emit(feed.Token(" living"), DONE)
    await page.until("!document.body.classList.contains('busy')")
    assert await page.value(f"{LAST}.querySelector('.text').textContent") == "Of the living"
    assert await page.value(f"{LAST}.querySelector('.thinking')") is None


async def test_escape_stops_an_answer_which_keeps_what_it_said(page, agents, holder):
    async def cancelled(asked: runs.GetRun) -> runs.Run:
        await holder.emit(feed.Cancelled(runs.Usage()))
        return replace(examples.run, id=asked.run_id)

    await agents.peers.answer(runs.CANCEL, cancelled)
    await opened(page, agents.url, key=agents.key)
    await said(page, "Why?")
    await until_started(agents)
    await holder.emit(STARTED, feed.Token("Half"))
    await page.until(f"{LAST}.textContent.includes('Half')")
    assert await page.value("document.getElementById('send').ariaLabel") == "Stop the answer"
    await page.press("Escape")
    await page.until("!document.body.classList.contains('busy')")
    assert await page.value(f"{LAST}.querySelector('.text').textContent") == "Half"


async def test_files_are_attached_shown_taken_back_and_sent(page, agents, holder, tmp_path):
    chosen = [tmp_path / name for name in ("cat.png", "lamp.pdf", "notes.txt")]
    for path, content in zip(chosen, (b"\x89PNG\r\n\x1a\n1", b"%PDF-1.4", b"Hello"), strict=True):
        path.write_bytes(content)
    await opened(page, agents.url, key=agents.key)
    await page.choose("#files", *chosen)
    await page.until("document.querySelectorAll('#chosen li').length === 2")
    assert await page.text("#status") == "notes.txt is neither an image nor a PDF"
    await page.click("[aria-label='Remove lamp.pdf']")
    assert await page.text("#chosen .name") == "cat.png"
    await said(page, "What is it?")
    await until_started(agents)
    assert starts(agents)[0].images == [runs.Image("cat.png", "image/png", chosen[0].read_bytes())]
    await holder.emit(STARTED, feed.Token("A cat."), DONE)
    await page.until("!document.body.classList.contains('busy')")
    assert await page.text(".user .files .name") == "cat.png"
    assert await page.value("document.getElementById('chosen').hidden")


async def test_it_is_used_by_keyboard_alone(page, agents, holder):
    await opened(page, agents.url, key=agents.key)
    assert await page.value("document.activeElement.id") == "message"
    await page.write("one")
    await page.press("Enter", shift=True)
    await page.write("two")
    assert await page.value("document.activeElement.value") == "one\ntwo"
    visited = []
    for _ in range(8):
        await page.press("Tab")
        visited.append(await page.value("document.activeElement.id || document.activeElement.className"))
    assert {"send", "skip", "theme", "anew", "log", "attach"} <= set(visited)


async def test_what_went_wrong_is_said_and_can_be_tried_again(page, agents, holder):
    await opened(page, agents.url, key=agents.key)
    await said(page, "Why?")
    await until_started(agents)
    await holder.emit(STARTED, feed.Failed(Failure(Code.UPSTREAM, "The provider broke off.")))
    await page.until("document.querySelector('[role=alert] span')?.textContent === 'The provider broke off.'")
    await page.click(".wrong-box button")
    await until_started(agents, 2)
    await holder.emit(STARTED, feed.Token("Because."), DONE)
    await page.until("!document.body.classList.contains('busy')")
    assert (await page.text("#log")).split()[:2] == ["Why?", "Because."]


async def test_a_key_is_asked_for_and_a_wrong_one_again(page, agents, holder):
    await page.go(f"{agents.url}/klisk/")
    await page.until("document.getElementById('door').open")
    await page.write("wrong")
    await page.press("Enter")
    await page.until("!document.getElementById('door').open")
    await said(page, "Why?")
    await page.until("document.getElementById('door').open && !document.getElementById('refused').hidden")
    await page.value("document.getElementById('key').value = ''; document.getElementById('key').focus()")
    await page.write(agents.key)
    await page.press("Enter")
    await page.until("!document.getElementById('door').open")
    await said(page, "Why?")
    await until_started(agents)
    await holder.emit(STARTED, DONE)
    assert await page.value("location.hash") == ""


async def test_it_is_light_and_dark_as_the_person_prefers_or_chooses(page, agents):
    for preferred, other in (("dark", "light"), ("light", "dark")):
        await page.prefer(preferred)
        await opened(page, agents.url, key=agents.key)
        assert await page.value("document.documentElement.dataset.theme") == preferred
        await page.click("#theme")
        assert await page.value("document.documentElement.dataset.theme") == other
        await page.value("sessionStorage.removeItem('theme')")


@asynccontextmanager
async def shop(script: str) -> AsyncIterator[str]:
    """A page of another site that shows the widget."""
    port = free_port()
    head = "<title>Shop</title><link rel='icon' href='data:,'>"
    html = f"<!doctype html><html lang='en'>{head}<body><h1>Shop</h1>{script}</body></html>"

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://localhost:{port}"
    finally:
        await runner.cleanup()


async def test_the_widget_brings_the_chat_into_a_page_of_another_site(chromium, page, agents, holder):
    tag = f'<script src="{agents.url}/widget.js" data-key="{agents.key}" data-position="bottom-left" async></script>'
    async with shop(tag) as url:
        await page.go(url)
        await page.until("document.getElementById('polyvox-chat')?.ariaLabel === 'Open the chat'")
        await page.click("#polyvox-chat")
        assert await page.value("document.querySelector('iframe').style.left") == "20px"
        async with chromium.frame("/klisk/?embed=1") as inside:
            await inside.until("document.getElementById('status')?.textContent === 'Ready'")
            await inside.value("document.getElementById('message').value = 'Why?'")
            await inside.value("document.getElementById('composer').requestSubmit()")
            await until_started(agents)
            await holder.emit(STARTED, feed.Token("Because."), DONE)
            await inside.until(f"{LAST}?.textContent.includes('Because.')")
        await page.press("Escape")
        await page.until("document.getElementById('polyvox-chat').ariaExpanded === 'false'")
        assert page.complaints == []
