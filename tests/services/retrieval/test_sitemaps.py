"""Sitemaps: what a site says it has becomes a document for each page, and no site adds more than that."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from libs.contracts import documents
from libs.contracts.documents import Status
from libs.contracts.paging import Slice
from services.retrieval.readers import Unreadable, sitemap
from services.retrieval.readers.calls import Listed
from tests.services.retrieval.conftest import Library, deleting, until
from tests.support.waiting import held_up
from tests.support.web import site

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def urlset(*addresses: str) -> str:
    return f"<urlset {NAMESPACE}>" + "".join(f"<url><loc> {each} </loc></url>" for each in addresses) + "</urlset>"


def index(*addresses: str) -> str:
    named = "".join(f"<sitemap><loc>{each}</loc></sitemap>" for each in addresses)
    return f"<sitemapindex {NAMESPACE}>{named}</sitemapindex>"


def read(tmp_path, text: str) -> Listed | None:
    path = tmp_path / "map"
    path.write_text(text)
    return sitemap.read(path)


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        (urlset("https://a.example/1", "https://a.example/2?a=1&amp;b=2"), (2, 0)),
        (urlset(), (0, 0)),
        (index("https://a.example/one.xml"), (0, 1)),
        ('<?xml version="1.0"?><!-- made by hand --><urlset><url><loc>https://a.example</loc></url></urlset>', (1, 0)),
        (
            '<urlset xmlns:i="i"><url><loc>https://a.example</loc><i:image><i:loc>https://b</i:loc></i:image></url></urlset>',
            (1, 0),
        ),
    ],
)
def test_a_sitemap_names_pages_or_further_sitemaps(tmp_path, text, listed):
    found = read(tmp_path, text)
    assert found is not None
    assert (len(found.pages), len(found.sitemaps)) == listed


@pytest.mark.parametrize("text", ["", "plain text", "<rss><url><loc>https://a.example</loc></url></rss>", "<a"])
def test_what_is_no_sitemap_is_none(tmp_path, text):
    assert read(tmp_path, text) is None


@pytest.mark.parametrize(
    "text",
    [
        urlset("https://a.example")[:-12],
        urlset(*["https://a.example"] * (sitemap.MOST_PAGES + 1)),
        index(*["https://a.example"] * (sitemap.MOST_SITEMAPS + 1)),
    ],
)
def test_a_sitemap_that_breaks_off_or_names_too_much_is_refused(tmp_path, text):
    with pytest.raises(Unreadable):
        read(tmp_path, text)


@pytest.mark.parametrize("entity", ["SYSTEM 'file://$SECRET'", "'https://a.example/inside'"])
def test_entities_of_a_sitemap_name_nothing(tmp_path, entity):
    secret = tmp_path / "secret"
    secret.write_text("https://a.example/secret")
    dtd = f"<!DOCTYPE urlset [<!ENTITY x {entity.replace('$SECRET', str(secret))}>]>"
    try:
        found = read(tmp_path, f"{dtd}<urlset><url><loc>&x;</loc></url></urlset>")
    except Unreadable:
        return
    assert found == Listed([], [])


@asynccontextmanager
async def pages(**answers: Callable[[str], str]) -> AsyncIterator[str]:
    """A site whose files are made of its address."""

    async def answer(request: web.Request) -> web.Response:
        name = request.path.strip("/").replace(".", "_")
        if name not in answers:
            raise web.HTTPNotFound
        type = "application/xml" if name.endswith("xml") else "text/html"
        return web.Response(text=answers[name](f"http://{request.host}"), content_type=type)

    async with site(answer) as url:
        yield url


async def all_settled(library: Library, count: int) -> list[documents.Document]:
    async def look() -> list[documents.Document]:
        page = await library.bus.call(documents.PAGE, documents.PageDocuments(*library.place, Slice(0, 100)))
        return page.items

    settled = (Status.INDEXED, Status.FAILED)
    return await until(look, lambda seen: len(seen) == count and {one.status for one in seen} <= set(settled))


@pytest.mark.asyncio
async def test_each_page_of_a_sitemap_is_a_document_that_is_found(library: Library) -> None:
    async with pages(
        sitemap_xml=lambda url: urlset(
            f"{url}/boats", f"{url}/nets", f"{url}/gone", f"{url}/nets", "ftp://a.example/x"
        ),
        boats=lambda _: "<p>Boats leave at six.</p>",
        nets=lambda _: "<p>Nets are mended at noon.</p>",
    ) as url:
        [added] = await library.add_urls(f"{url}/sitemap.xml", lang="en")
        found = await all_settled(library, 4)
    states = {document.name: document.status for document in found}
    indexed, failed = Status.INDEXED, Status.FAILED
    assert states == {"sitemap.xml": indexed, "boats": indexed, "nets": indexed, "gone": failed}
    [passage] = await library.search("When do boats leave?", limit=1, lang="en", source=f"{url}/boats")
    assert passage.text == "Boats leave at six."
    assert (await library.get(added)).text == f"{url}/boats\n{url}/nets\n{url}/gone"
    assert [hit.name for hit in await library.search("sitemap xml boats", limit=10)].count("sitemap.xml") == 0
    counted = await library.look()
    assert (counted.documents, counted.chunks) == (4, 2)


@pytest.mark.asyncio
async def test_an_index_names_sitemaps_and_nothing_goes_deeper(library: Library) -> None:
    async with pages(
        index_xml=lambda url: index(f"{url}/one.xml", f"{url}/two.xml"),
        one_xml=lambda url: urlset(f"{url}/boats", f"{url}/index.xml"),
        two_xml=lambda url: urlset(f"{url}/boats"),
        boats=lambda _: "<p>Boats leave at six.</p>",
    ) as url:
        await library.add_urls(f"{url}/index.xml")
        found = await all_settled(library, 3)
    assert sorted(document.name for document in found) == ["boats", "index.xml", "index.xml"]


@pytest.mark.asyncio
async def test_other_xml_is_read_as_the_document_it_is(library: Library) -> None:
    async with pages(feed_xml=lambda _: "<rss><title>Boats leave at six.</title></rss>") as url:
        [document] = await library.add_urls(f"{url}/feed.xml")
        assert "Boats leave at six." in ((await library.indexed(document)).text or "")


@pytest.mark.asyncio
async def test_a_sitemap_that_is_not_there_fails_and_says_so(library: Library) -> None:
    async with pages(index_xml=lambda url: index(f"{url}/gone.xml")) as url:
        [gone, broken] = await library.add_urls(f"{url}/gone.xml", f"{url}/index.xml")
        assert "answered 404" in await library.failed(gone)
        assert "answered 404" in await library.failed(broken)


@pytest.mark.asyncio
async def test_a_sitemap_is_deleted_while_its_pages_are_added(library: Library, rows, caplog) -> None:
    read = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        await read.wait()
        return web.Response(text=urlset(f"http://{request.host}/boats"), content_type="application/xml")

    async with site(answer) as url:
        [added] = await library.add_urls(f"{url}/sitemap.xml")
        async with deleting(rows, added) as connection:
            read.set()
            await until(lambda: held_up(connection), bool)
            await connection.execute("DELETE FROM documents WHERE id = $1", added.id)
        await until(lambda: rows.fetchval("SELECT count(*) FROM jobs"), lambda left: not left)
    assert not [record for record in caplog.records if record.exc_info]
