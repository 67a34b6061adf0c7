"""Attachments: images as they are, PDFs as their text, and nothing left out in silence."""

import base64
import json

import pytest

from libs.contracts import files, runs
from libs.contracts.faults import Code, Fault
from services.gateway.attachments import MOST_BYTES
from tests.dialects.klisk.conftest import DONE, events

pytestmark = pytest.mark.asyncio

PNG, JPEG, GIF, WEBP = b"\x89PNG\r\n\x1a\n1", b"\xff\xd8\xff1", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "
PDF = b"%PDF-1.4 ..."


def attached(content: bytes, mime_type: str, name: str = "file") -> dict[str, str]:
    return {"mime_type": mime_type, "data": base64.b64encode(content).decode(), "name": name}


def asking(*attachments: dict[str, str], **more: object) -> dict[str, object]:
    return {"message": "What is it?", "stream": False, "attachments": list(attachments), **more}


def start(door) -> runs.StartRun:
    return next(asked for asked in door.peers.asked if isinstance(asked, runs.StartRun))


async def test_images_go_to_the_model_as_they_are(agents):
    given = [(PNG, "image/png"), (JPEG, "image/jpeg"), (GIF, "image/gif"), (WEBP, "image/webp")]
    answer = await agents.call("POST", "/api/chat", asking(*(attached(*each, each[1]) for each in given)))
    assert answer.status == 200
    assert start(agents).images == [runs.Image(kind, kind, content) for content, kind in given]
    assert start(agents).inputs == "What is it?"


async def test_what_an_image_is_its_content_says(agents):
    await agents.call("POST", "/api/chat", asking(attached(PNG, "image/jpeg", "a.jpg")))
    assert start(agents).images == [runs.Image("a.jpg", "image/png", PNG)]


async def test_a_pdf_goes_to_the_model_as_its_text(agents):
    await agents.peers.answer(files.READ, lambda asked: f"Text of {asked.name}.")
    sent = asking(attached(PDF, "application/pdf", "a.pdf"), attached(PDF, "application/pdf", "b.pdf"))
    answer = await agents.call("POST", "/api/chat", sent)
    assert str(start(agents).inputs).split("\n\n") == [
        "What is it?",
        "The attached file a.pdf says:",
        "Text of a.pdf.",
        "The attached file b.pdf says:",
        "Text of b.pdf.",
    ]
    assert answer.json["state"]["conversation_history"][0] == {"role": "user", "content": "What is it?"}
    asked = next(asked for asked in agents.peers.asked if isinstance(asked, files.ReadFile))
    assert asked == files.ReadFile(agents.workspace_id, "a.pdf", PDF)


async def test_a_message_may_be_nothing_but_an_attachment(agents):
    answer = await agents.call("POST", "/api/chat", asking(attached(PNG, "image/png"), message=""))
    assert (answer.status, start(agents).inputs) == (200, "")


async def test_base64_may_come_as_a_data_url(agents):
    given = attached(PNG, "image/png")
    await agents.call("POST", "/api/chat", asking(given | {"data": f"data:image/png;base64,{given['data']}"}))
    assert start(agents).images[0].content == PNG


REFUSED = [
    (attached(b"Hello", "text/plain", "a.txt"), 415, "a.txt can't be taken"),
    (attached(b"Hello", "image/png", "a.png"), 415, "a.png can't be taken"),
    (attached(b"", "image/png", ""), 415, "Attachment 1 can't be taken"),
    ({"mime_type": "image/png", "data": "???", "name": "a.png"}, 400, "a.png is no valid base64"),
]


@pytest.mark.parametrize(("attachment", "status", "said"), REFUSED)
async def test_what_can_not_be_taken_is_refused_by_its_name(agents, attachment, status, said):
    answer = await agents.call("POST", "/api/chat", asking(attachment))
    assert answer.status == status
    assert said in answer.json["error"]
    told = events((await agents.call("POST", "/api/chat", asking(attachment, stream=True))).text)
    assert told == [{"type": "error", "data": answer.json["error"]}, "[DONE]"]
    async with agents.session.ws_connect(f"{agents.url}/ws/chat?key={agents.key}") as socket:
        await socket.send_json({"message": "", "attachments": [attachment]})
        assert json.loads(await socket.receive_str()) == told[0]
    assert not [asked for asked in agents.peers.asked if isinstance(asked, runs.StartRun)]


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 413)])
async def test_an_attachment_has_20_mb_at_most(agents, more, status):
    content = PNG + bytes(MOST_BYTES + more - len(PNG))
    answer = await agents.call("POST", "/api/chat", asking(attached(content, "image/png", "big.png")))
    assert answer.status == status
    assert status == 200 or "big.png is too large" in answer.json["error"]


async def test_a_pdf_that_can_not_be_read_says_why(agents):
    await agents.peers.answer(files.READ, Fault(Code.INVALID, "The file needs a password.", field="content"))
    answer = await agents.call("POST", "/api/chat", asking(attached(PDF, "application/pdf", "a.pdf")))
    assert (answer.status, answer.json) == (400, {"error": "a.pdf can't be read: The file needs a password."})


async def test_a_model_that_sees_nothing_is_told_of(agents, holder):
    await agents.peers.answer(runs.START, Fault(Code.UNSUPPORTED, "The model sees no images."))
    answer = await agents.call("POST", "/api/chat", asking(attached(PNG, "image/png")))
    assert (answer.status, answer.json) == (415, {"error": "The model sees no images."})
    await holder.emit(DONE)
