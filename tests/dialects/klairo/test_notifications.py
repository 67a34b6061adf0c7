"""KlairoAI's notifications: listed and marked as read, over a real door."""

from datetime import UTC, datetime

import pytest

from libs.contracts import ids, notifications
from libs.contracts.notifications import MarkRead, Notification
from libs.contracts.paging import Slice

pytestmark = pytest.mark.asyncio

ROOTS = ["/api/notifications", "/v1/notifications", "/klairo/api/notifications", "/klairo/v1/notifications"]
NTF, AUTOMATION, RUN, DELIVERY = (ids.new() for _ in range(4))


def told(**given) -> Notification:
    about = {"automation_id": str(AUTOMATION), "run_id": str(RUN), "delivery_id": str(DELIVERY), "event": "x"}
    fields = {"id": NTF, "workspace_id": ids.new(), "type": "automation_completed", "title": "Automation run complete"}
    more = {"body": "Follow-up finished.", "metadata": about, "times": 1, "read": False}
    at = datetime(2026, 3, 11, 11, 30, tzinfo=UTC)
    return Notification(**{**fields, **more, "created_at": at, **given})


@pytest.mark.parametrize("root", ROOTS)
async def test_notifications_are_listed_as_the_page_shows(door, root):
    await door.peers.answer(notifications.PAGE, notifications.Notifications([told()], 18, 4))
    answer = await door.call("GET", root)
    assert (answer.status, answer.json) == (
        200,
        {
            "data": [
                {
                    "id": ids.crockford("ntf", NTF),
                    "type": "automation_completed",
                    "title": "Automation run complete",
                    "body": "Follow-up finished.",
                    "read": False,
                    "metadata": {
                        "automation_id": ids.crockford("auto", AUTOMATION),
                        "run_id": ids.crockford("run", RUN),
                        "delivery_id": str(DELIVERY),
                        "event": "x",
                    },
                    "created_at": "2026-03-11T11:30:00Z",
                }
            ],
            "unread_count": 4,
            "total": 18,
            "limit": 20,
            "offset": 0,
        },
    )
    assert door.peers.asked[-1] == notifications.PageNotifications(door.workspace_id, False, Slice(0, 20))


async def test_what_happened_more_than_once_says_how_often(door):
    await door.peers.answer(notifications.PAGE, notifications.Notifications([told(metadata={}, times=3)], 1, 1))
    assert (await door.call("GET", "/v1/notifications")).json["data"][0]["metadata"] == {"times": 3}


@pytest.mark.parametrize(
    ("query", "unread"), [("true", True), ("1", True), ("false", False), ("0", False), ("", False)]
)
async def test_only_the_unread_ones_are_listed_where_asked(door, query, unread):
    await door.peers.answer(notifications.PAGE, notifications.Notifications([], 0, 0))
    await door.call("GET", f"/v1/notifications?unread={query}&limit=500&offset=7")
    assert door.peers.asked[-1] == notifications.PageNotifications(door.workspace_id, unread, Slice(7, 100))


@pytest.mark.parametrize(
    ("body", "marks"),
    [
        ({"ids": [ids.crockford("ntf", NTF), str(RUN), "ntf_none"]}, [NTF, RUN]),
        ({"ids": []}, []),
        ({"all": True}, None),
    ],
)
async def test_they_are_marked_as_read_by_their_ids_or_all_at_once(door, body, marks):
    await door.peers.answer(notifications.READ, notifications.Marked(2, 5))
    answer = await door.call("PATCH", "/api/notifications/read", body)
    assert (answer.status, answer.json) == (200, {"updated": 2, "unread_count": 5})
    assert door.peers.asked[-1] == MarkRead(door.workspace_id, marks)


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("GET", "?unread=maybe", None, "unread"),
        ("GET", "?limit=0", None, "limit"),
        ("PATCH", "/read", {}, "ids"),
        ("PATCH", "/read", {"all": False}, "ids"),
        ("PATCH", "/read", {"all": True, "ids": []}, "ids"),
        ("PATCH", "/read", {"ids": [str(RUN)] * 1001}, "ids"),
        ("PATCH", "/read", {"every": True}, "every"),
    ],
)
async def test_what_does_not_fit_is_a_bad_request_that_names_it(door, method, path, body, said):
    answer = await door.call(method, f"/v1/notifications{path}", body)
    assert (answer.status, answer.json["error"]["code"]) == (400, "BAD_REQUEST")
    assert said in answer.json["error"]["message"]
