"""Uploads: begun, finished, and swept when nobody finishes or uses them."""

import pytest

from libs.contracts import files, ids
from libs.contracts.faults import Code, Fault
from services.retrieval.files import Files
from tests.services.retrieval.conftest import Library

pytestmark = pytest.mark.asyncio


async def test_an_upload_names_its_blob_and_its_cap(bus, library: Library) -> None:
    begun = await bus.call(files.BEGIN, files.BeginUpload(library.place[0], "a.pdf"))
    assert (begun.name, begun.finished, begun.max_bytes) == ("a.pdf", False, 50 * 1024 * 1024)
    finished = await bus.call(files.FINISH, files.FinishUpload(library.place[0], begun.id, 10))
    assert finished.finished
    assert await bus.call(files.GET, files.GetUpload(library.place[0], begun.id)) == finished


async def test_an_upload_of_another_workspace_is_not_there(bus, library: Library) -> None:
    begun = await bus.call(files.BEGIN, files.BeginUpload(library.place[0], "a.pdf"))
    for rpc, request in (
        (files.GET, files.GetUpload(ids.new(), begun.id)),
        (files.FINISH, files.FinishUpload(ids.new(), begun.id, 10)),
    ):
        with pytest.raises(Fault) as raised:
            await bus.call(rpc, request)
        assert raised.value.code is Code.NOT_FOUND


async def test_an_upload_has_a_name_and_a_size(bus, library: Library) -> None:
    for name in ("", " ", "x" * 501):
        with pytest.raises(Fault) as raised:
            await bus.call(files.BEGIN, files.BeginUpload(library.place[0], name))
        assert (raised.value.code, raised.value.field) == (Code.INVALID, "name")
    begun = await bus.call(files.BEGIN, files.BeginUpload(library.place[0], "a.pdf"))
    with pytest.raises(Fault) as raised:
        await bus.call(files.FINISH, files.FinishUpload(library.place[0], begun.id, begun.max_bytes + 1))
    assert raised.value.code is Code.TOO_LARGE


async def test_uploads_that_nobody_finishes_or_uses_are_swept(bus, library: Library, rows, blobs) -> None:
    """With the clock turned back for them: a day for the unfinished, a week for the unused."""
    unfinished = await bus.call(files.BEGIN, files.BeginUpload(library.place[0], "unfinished"))
    await blobs.put(unfinished.blob, b"half")
    names = {name: await library.upload(name, b"Boats leave at six.") for name in ("unused", "used", "fresh")}
    await library.indexed((await library.add_urls(names["used"]))[0])
    aged = {"unfinished": 25, "unused": 8 * 24, "used": 8 * 24, "fresh": 6 * 24}
    for name, hours in aged.items():
        await rows.execute(
            "UPDATE uploads SET created_at = now() - $2 * interval '1 hour' WHERE name = $1", name, hours
        )
    left = {row["name"]: row["blob"] for row in await rows.fetch("SELECT name, blob FROM uploads")}
    assert await Files(rows, blobs, max_bytes=1000).sweep_once() == 3
    assert await rows.fetch("SELECT FROM uploads WHERE name = ANY($1)", ["unfinished", "unused", "used"]) == []
    for name, kept in {"unfinished": False, "unused": False, "used": True, "fresh": True}.items():
        assert await there(blobs, left[name]) is kept, name


async def there(blobs, key: str) -> bool:
    try:
        return bool(await blobs.get(key))
    except Fault as fault:
        return fault.code is not Code.NOT_FOUND
