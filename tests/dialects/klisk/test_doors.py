"""What needs no key: who is there, whether it answers, the page and the widget."""

import pytest

from libs.contracts import actions
from libs.contracts.faults import not_found
from tests.services.gateway.peers import new_key

pytestmark = pytest.mark.asyncio

AGENT = {
    "chat": {"enabled": True, "title": "Helper", "welcome_message": "", "attachments": True},
    "widget": {
        "enabled": True,
        "color": "#2f5bea",
        "position": "bottom-right",
        "width": "400px",
        "height": "600px",
        "welcome_message": "",
        "placeholder": "Type a message…",
        "auto_open": False,
        "user_message_color": "",
        "header_color": "",
        "bubble_icon": "",
    },
    "api": {"cors_origins": ["*"]},
}


async def test_who_is_there_is_told_to_everybody(agents):
    """Without a key it is the oldest workspace that is told of."""
    for key in (agents.key, None, "wrong"):
        answer = await agents.call("GET", "/api/info", key=key)
        assert (answer.status, answer.json) == (
            200,
            {"name": "Test", "agent": "Helper", "auth_required": True, "deploy": AGENT},
        )


async def test_a_key_tells_of_its_own_workspace(agents):
    made = await new_key(agents.service, "Another")
    await agents.peers.answer(actions.FIND, lambda asked: not_found("action", asked.name))
    answer = await agents.call("GET", "/klisk/api/info", key=made.secret)
    assert (answer.json["name"], answer.json["agent"]) == ("Another", None)
    assert answer.json["deploy"]["chat"]["title"] == "Another"
    assert agents.peers.asked[-1] == actions.FindAction(made.key.workspace_id)


@pytest.mark.parametrize("path", ["/klisk/health", "/health"])
async def test_it_says_that_it_lives(agents, path):
    answer = await agents.call("GET", path, key=None)
    assert (answer.status, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/klisk", "/klisk/"])
async def test_the_page_is_one_document_that_asks_nobody_else(agents, path):
    answer = await agents.call("GET", path, key=None, allow_redirects=False)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert "http" not in answer.text.partition("<script>")[0].replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(("path", "page"), [("/widget.js", "./klisk/"), ("/klisk/widget.js", "./")])
async def test_the_widget_finds_the_page_wherever_it_comes_from(agents, path, page):
    answer = await agents.call("GET", path, key=None)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert f'new URL("{page}", script.src)' in answer.text


async def test_a_socket_s_address_says_so_to_who_asks_it_for_an_answer(agents):
    answer = await agents.call("GET", "/klisk/ws/chat")
    assert (answer.status, answer.json) == (400, {"error": "This address is a WebSocket's: ask for an upgrade to it."})


async def test_an_unknown_address_is_404_in_klisk_s_one_field(agents):
    answer = await agents.call("GET", "/klisk/nothing")
    assert (answer.status, list(answer.json)) == (404, ["error"])
