"""The KlairoAI voice's API keys: made by who is logged in, shown once, good for every voice, and gone at once."""

import asyncio

import pytest

from libs.contracts import ids
from libs.contracts.faults import Fault
from services.gateway.directory import checksum, keys
from tests.dialects.klairo.signing_in import account, login, token

pytestmark = pytest.mark.asyncio


@pytest.fixture
def paths() -> list[str]:
    """One of each voice that asks nobody but the gateway."""
    return ["/v1/workspaces", "/klu/v1/workspaces", "/api/keys?action=validate", "/klairo/v1/keys?action=validate"]


async def made(door, held: str, name: str = "Production App", root: str = "/api"):
    answer = await door.call("POST", f"{root}/keys", {"name": name}, key=held)
    assert answer.status == 201
    return answer.json


@pytest.mark.parametrize("root", ["/api", "/v1", "/klairo/api", "/klairo/v1"])
async def test_a_key_is_shown_once_listed_without_itself_and_revoked(door, root):
    held = await token(door, f"keys{root.replace('/', '-')}@example.test", role="member")
    shown = await made(door, held, root=root)
    assert shown.keys() == {"id", "name", "key", "prefix", "created_at"}
    assert not checksum.is_broken(shown["key"])
    assert shown["key"].startswith(shown["prefix"])
    assert shown["id"].startswith("key_")
    secret = shown.pop("key")

    listed = await door.call("GET", f"{root}/keys", key=held)
    assert listed.json == {"data": [shown], "total": 1, "limit": 20, "offset": 0}
    assert secret not in listed.text

    gone = await door.call("DELETE", f"{root}/keys/{shown['id']}", key=held)
    assert (gone.status, gone.text) == (204, "")
    assert (await door.call("GET", f"{root}/keys", key=held)).json["data"] == []
    assert (await door.call("DELETE", f"{root}/keys/{shown['id']}", key=held)).status == 404


async def test_a_key_works_in_every_voice_at_once_and_in_none_once_it_is_revoked(door, paths):
    held = await token(door, "every@example.test")
    for _ in range(5):
        shown = await made(door, held)
        for path in paths:
            assert (await door.call("GET", path, key=shown["key"])).status == 200, path
        assert (await door.call("DELETE", f"/api/keys/{shown['id']}", key=held)).status == 204
        for path in paths:
            assert (await door.call("GET", path, key=shown["key"])).status == 401, path


async def test_a_key_is_refused_at_once_by_any_request_already_on_its_way(door):
    """Many lookups at once around the revocation: none begun after its answer finds the key."""
    held = await token(door, "racing@example.test")
    shown = await made(door, held)

    async def ask() -> int:
        return (await door.call("GET", "/v1/workspaces", key=shown["key"])).status

    around = [asyncio.ensure_future(ask()) for _ in range(10)]
    await door.call("DELETE", f"/api/keys/{shown['id']}", key=held)
    assert await asyncio.gather(*(ask() for _ in range(10))) == [401] * 10
    await asyncio.gather(*around)


async def test_a_key_tells_whose_it_is(door):
    ann = await account(door, "whose@example.test")
    held = (await login(door, "whose@example.test")).json["token"]
    shown = await made(door, held)
    answer = await door.call("GET", "/api/keys?action=validate", key=shown["key"])
    assert answer.json["usage"] > 0
    assert answer.json == {
        "valid": True,
        "user_id": ids.crockford("usr", ann.id),
        "email": "whose@example.test",
        "plan": "enterprise",
        "key_name": "Production App",
        "usage": answer.json["usage"],
        "limit": None,
    }
    me = await door.call("GET", "/api/users/me", key=shown["key"])
    assert me.json["email"] == "whose@example.test"
    nobodys = await door.call("GET", "/api/keys?action=validate")
    assert (nobodys.json["user_id"], nobodys.json["email"], nobodys.json["key_name"]) == (None, None, "test")


async def test_what_is_no_key_is_not_valid(door):
    held = await token(door, "novalid@example.test")
    for key in ("kl_live_YOUR_API_KEY", checksum.mint(), "pv_nothing", held, None):
        answer = await door.call("GET", "/api/keys?action=validate", key=key)
        assert (answer.status, answer.json["error"]["code"]) == (401, "UNAUTHORIZED")


async def test_members_see_and_revoke_their_own_keys_and_admins_all(door):
    one, two = await token(door, "m1@example.test", role="member"), await token(door, "m2@example.test", role="member")
    boss = await token(door, "boss@example.test", role="admin")
    theirs = await made(door, one, "theirs")
    assert (await door.call("GET", "/api/keys", key=two)).json["total"] == 0
    assert (await door.call("DELETE", f"/api/keys/{theirs['id']}", key=two)).status == 404
    listed = (await door.call("GET", "/api/keys?limit=100", key=boss)).json["data"]
    assert {"theirs", "test"} <= {key["name"] for key in listed}
    paged = (await door.call("GET", "/api/keys?limit=1&offset=1", key=boss)).json
    assert (paged["data"], paged["limit"], paged["offset"]) == ([listed[1]], 1, 1)
    assert (await door.call("DELETE", f"/api/keys/{theirs['id']}", key=boss)).status == 204


async def test_a_key_makes_lists_and_revokes_no_keys(door):
    held = await token(door, "nokeys@example.test")
    shown = await made(door, held)
    for method, path, body in (
        ("GET", "/api/keys", None),
        ("POST", "/api/keys", {"name": "x"}),
        ("DELETE", f"/api/keys/{shown['id']}", None),
    ):
        answer = await door.call(method, path, body, key=shown["key"])
        assert (answer.status, answer.json["error"]["code"]) == (403, "FORBIDDEN")


async def test_a_key_is_made_each_time_it_is_asked_for_and_kept_in_no_answer(door):
    held = await token(door, "twice@example.test", role="member")
    headers = {"Idempotency-Key": "make-a-key"}
    both = [await door.call("POST", "/api/keys", {"name": "x"}, key=held, headers=headers) for _ in range(2)]
    assert both[0].json["key"] != both[1].json["key"]
    assert await door.service.database.fetchval("SELECT count(*) FROM effects WHERE key = 'make-a-key'") == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", "/api/keys", {}, 400, "name"),
        ("POST", "/api/keys", {"name": ""}, 400, "name"),
        ("POST", "/api/keys", {"name": "x" * 201}, 400, "name"),
        ("POST", "/api/keys", {"name": "x", "key": "kl_live_mine"}, 400, "key"),
        ("GET", "/api/keys?action=dance", None, 400, "action"),
        ("DELETE", "/api/keys/nothing", None, 404, "nothing"),
    ],
)
async def test_what_is_wrong_is_named(door, method, path, body, status, said):
    held = await token(door, "wrong@example.test")
    answer = await door.call(method, path, body, key=held)
    assert (answer.status, answer.json["error"]["status"]) == (status, status)
    assert said in answer.json["error"]["message"]


async def test_a_given_key_of_this_kind_must_have_its_checksum(door):
    async with door.service.database.transaction() as connection:
        with pytest.raises(Fault, match="CRC32"):
            await keys.adopt(connection, door.workspace_id, "kl_live_" + "a" * 64, name="given")
        given = await keys.adopt(connection, door.workspace_id, checksum.mint(), name="given")
    assert len(given.prefix) == len("kl_live_") + 8
