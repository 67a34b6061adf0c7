"""Logging in to the KlairoAI voice: its shapes, its refusals, and what a token is worth, over a real door."""

import asyncio
import base64
import json
import time
from datetime import UTC, datetime, timedelta

import jwt
import pytest
import pytest_asyncio

from libs.contracts import endpoints, ids
from libs.contracts.paging import Page
from libs.runtime.sealing import Sealer
from services.gateway.directory import endings, passwords, people
from services.gateway.directory.signing_in import store as attempts
from services.gateway.directory.signing_in import throttle
from services.gateway.directory.signing_in.tokens import Tokens
from tests.dialects.klairo.signing_in import PASSWORD, account, login, standing_of, token

pytestmark = pytest.mark.asyncio

ROOTS = ["/api", "/v1", "/klairo/api", "/klairo/v1"]


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def _nobody_has_tried(door):
    """All tests come from one address."""
    await door.service.database.execute("DELETE FROM login_attempts")


def tokens_of(door, *, later: float = 0) -> Tokens:
    return Tokens(door.service.sealer, now=lambda: time.time() + later)


@pytest.mark.parametrize("root", ROOTS)
async def test_a_password_gives_a_token_of_a_day_that_opens_the_voice(door, root):
    ann = await account(door, "ann@example.test")
    answer = await login(door, " Ann@Example.test ", path=f"{root}/auth/login")
    assert answer.status == 200
    assert answer.json.keys() == {"token", "expires_at", "user"}
    assert answer.json["user"] == {
        "id": ids.crockford("usr", ann.id),
        "email": "ann@example.test",
        "name": "Ann Example",
        "plan": "enterprise",
    }
    lasts = datetime.fromisoformat(answer.json["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=24, seconds=-10) < lasts <= timedelta(hours=24)

    me = await door.call("GET", f"{root}/users/me", key=answer.json["token"])
    assert me.status == 200
    assert me.json.pop("created_at")
    assert me.json.pop("last_seen_at")
    assert me.json == {
        "id": ids.crockford("usr", ann.id),
        "name": "Ann Example",
        "email": "ann@example.test",
        "avatar_url": None,
        "plan": {"id": "enterprise", "label": "Enterprise", "status": "active", "renews_at": None},
        "quota": {"chat_limit_daily": None, "api_limit_per_minute": 600_000, "automations_max": None},
    }


async def test_a_token_asks_in_its_workspace(door):
    held = await token(door, "asks@example.test")
    await door.peers.answer(endpoints.PAGE, Page([], 0))
    assert (await door.call("GET", "/api/webhooks", key=held)).status == 200
    assert door.peers.asked[-1].workspace_id == door.workspace_id
    assert (await door.call("GET", "/v1/apps", key=held)).status == 401


async def test_an_account_of_two_workspaces_says_which(door):
    await account(door, "both@example.test", workspace="First")
    await account(door, "both@example.test", workspace="Second")
    async with door.service.database.acquire() as connection:
        wanted = {name: (await people.find_workspace(connection, name)).id for name in ("First", "Second")}
    body = {"email": "both@example.test", "password": PASSWORD}
    for given_id, opened in ((None, wanted["First"]), (str(wanted["Second"]), wanted["Second"])):
        answer = await door.call("POST", "/api/auth/login", body | {"workspace": given_id}, key=None)
        assert jwt.decode(answer.json["token"], options={"verify_signature": False})["workspace"] == str(opened)
    refused = await door.call("POST", "/api/auth/login", body | {"workspace": str(door.workspace_id)}, key=None)
    assert (refused.status, refused.json["error"]["code"]) == (403, "FORBIDDEN")


async def test_what_does_not_belong_together_is_answered_alike_and_as_slowly(door):
    await account(door, "known@example.test")
    async with door.service.database.transaction() as connection:
        await people.make_account(connection, "passwordless@example.test")
    answers, times = [], []
    for email in ("known@example.test", "unknown@example.test", "passwordless@example.test"):
        began = time.process_time()
        answers.append(await login(door, email, "wrong horse"))
        times.append(time.process_time() - began)
    assert [(answer.status, answer.text) for answer in answers] == [(401, answers[0].text)] * 3
    # Of the processor, which a hash takes far more of than all the rest; so it holds on a busy machine.
    assert min(times) > max(times) / 3


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"email": "x@example.test"}, "password"),
        ({"password": "x"}, "email"),
        ({"email": 1, "password": "x"}, "email"),
        ({"email": "x", "password": "x", "otp": "1"}, "otp"),
        (b"{", "JSON"),
        (b'{"email": "\\u0000", "password": "\\ud800"}', ""),
        ([], "object"),
    ],
)
async def test_a_login_that_lacks_a_field_is_a_bad_request(door, body, said):
    answer = await door.call("POST", "/api/auth/login", body, key=None)
    assert (answer.status, answer.json["error"]["code"]) == (400, "BAD_REQUEST")
    assert said in answer.json["error"]["message"]


async def test_a_body_over_a_mebibyte_is_no_login(door):
    answer = await login(door, "x@example.test", "x" * (1 << 20))
    assert answer.status == 413


async def test_an_account_is_closed_for_a_while_after_wrong_passwords_made_at_once_or_not(door):
    await account(door, "tried@example.test")
    await login(door, "tried@example.test", "wrong horse")
    await door.service.database.execute("UPDATE login_attempts SET tried = $1", throttle.PER_ACCOUNT - 2)
    wrong = await asyncio.gather(*(login(door, "tried@example.test", f"wrong {n}") for n in range(4)))
    assert sorted(answer.status for answer in wrong) == [401, 401, 429, 429]
    refused = await login(door, "TRIED@example.test")
    error = refused.json["error"]
    assert (refused.status, error["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert 0 < error["retry_after"] <= throttle.WINDOW_SECONDS
    assert refused.headers["Retry-After"] == str(error["retry_after"])
    await account(door, "other@example.test")
    assert (await login(door, "other@example.test")).status == 200
    await door.service.database.execute("UPDATE login_attempts SET until = now() - interval '1 second'")
    assert (await login(door, "tried@example.test")).status == 200


async def test_right_passwords_are_not_counted(door):
    await account(door, "often@example.test")
    for _ in range(2):
        assert (await login(door, "often@example.test")).status == 200
    assert await door.service.database.fetchval("SELECT sum(tried) FROM login_attempts") == 0


async def test_an_address_is_closed_whatever_accounts_it_tries(door):
    await login(door, "first@example.test", "wrong")
    # One address has one row with the most attempts; the account's other is left alone.
    await door.service.database.execute("UPDATE login_attempts SET tried = $1", throttle.PER_ADDRESS)
    assert (await login(door, "never-tried@example.test")).status == 429


async def test_a_forwarded_address_of_nobody_trusted_changes_nothing(door):
    for n in range(3):
        await login(door, f"f{n}@example.test", "wrong", headers={"X-Forwarded-For": f"198.51.100.{n}"})
    rows = await door.service.database.fetch("SELECT tried FROM login_attempts ORDER BY tried")
    assert [row["tried"] for row in rows] == [1, 1, 1, 3]


async def test_a_login_is_made_anew_whatever_key_for_idempotency_it_has(door):
    await account(door, "idem@example.test")
    headers = {"Idempotency-Key": "same"}
    first = await login(door, "idem@example.test", headers=headers)
    assert (await login(door, "idem@example.test", "wrong horse", headers=headers)).status == 401
    again = await door.call("POST", "/api/auth/refresh", key=first.json["token"], headers=headers)
    assert again.status == 200
    assert "Idempotent-Replayed" not in again.headers
    assert await door.service.database.fetchval("SELECT count(*) FROM effects WHERE key = 'same'") == 0


async def test_a_refresh_asks_for_a_token(door):
    answer = await door.call("POST", "/api/auth/refresh", key=None)
    said = "A token is needed: send it as `Authorization: Bearer <token>`."
    assert (answer.status, answer.json["error"]["message"]) == (401, said)


async def test_a_token_is_refreshed_until_an_hour_after_its_end(door):
    await token(door, "fresh@example.test")
    standing = await standing_of(door, "fresh@example.test")
    for ago, refreshed, opens in ((0, 200, 200), (24 * 3600 + 60, 200, 401), (25 * 3600 + 1, 401, 401)):
        held = tokens_of(door, later=-ago).mint(standing).text
        answer = await door.call("POST", "/api/auth/refresh", key=held)
        assert answer.status == refreshed
        assert (await door.call("GET", "/api/users/me", key=held)).status == opens
        if refreshed == 200:
            assert (await door.call("GET", "/api/users/me", key=answer.json["token"])).status == 200


async def test_a_changed_password_ends_the_tokens_of_the_old_one(door):
    held = await token(door, "moved@example.test")
    assert (await door.call("GET", "/api/users/me", key=held)).status == 200
    moved = await standing_of(door, "moved@example.test")
    async with door.service.database.transaction() as connection:
        await people.set_password(connection, moved.account_id, passwords.hashed("another horse"))
    await asyncio.sleep(1.0)
    assert (await door.call("GET", "/api/users/me", key=held)).status == 401
    assert (await door.call("POST", "/api/auth/refresh", key=held)).status == 401
    assert (await login(door, "moved@example.test")).status == 401
    assert (await login(door, "moved@example.test", "another horse")).status == 200


async def test_the_tokens_of_a_deleted_workspace_open_nothing(door):
    await account(door, "gone@example.test", workspace="Gone")
    held = (await login(door, "gone@example.test")).json["token"]
    assert (await door.call("GET", "/api/users/me", key=held)).status == 200
    async with door.service.database.transaction() as connection:
        await endings.delete(connection, await people.find_workspace(connection, "Gone"))
    await asyncio.sleep(1.0)
    for method, path in (("GET", "/api/users/me"), ("POST", "/api/auth/refresh")):
        assert (await door.call(method, path, key=held)).status == 401


async def test_a_key_of_nobody_has_no_user(door):
    refused = await door.call("GET", "/api/users/me")
    assert (refused.status, refused.json["error"]["code"]) == (403, "FORBIDDEN")


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forgeries(held: str, sealer: Sealer) -> list[str]:
    """Each of which is a token, but not ours: another algorithm, another key, other claims, other bytes."""
    head, body, signature = held.split(".")
    claims = jwt.decode(held, options={"verify_signature": False})
    kid = jwt.get_unverified_header(held)["kid"]
    own = next(iter(sealer.derived(b"polyvox gateway tokens").values()))
    other = next(iter(sealer.derived(b"another purpose").values()))
    return [
        f"{part({'alg': 'none', 'kid': kid})}.{body}.",
        f"{part({'alg': 'None', 'kid': kid})}.{body}.{signature}",
        jwt.encode(claims, own, algorithm="HS384", headers={"kid": kid}),
        jwt.encode(claims, own, algorithm="HS256"),
        jwt.encode(claims, own, algorithm="HS256", headers={"kid": "elsewhere"}),
        jwt.encode(claims, other, algorithm="HS256", headers={"kid": kid}),
        jwt.encode(claims | {"iss": "somebody"}, own, algorithm="HS256", headers={"kid": kid}),
        jwt.encode(claims | {"generation": "1"}, own, algorithm="HS256", headers={"kid": kid}),
        jwt.encode(claims | {"sub": "usr_x"}, own, algorithm="HS256", headers={"kid": kid}),
        jwt.encode({k: v for k, v in claims.items() if k != "exp"}, own, algorithm="HS256", headers={"kid": kid}),
        f"{head}.{part(claims | {'exp': 4_000_000_000})}.{signature}",
        f"{head}.{body}.{signature[::-1]}",
        f"{head}.{body}.",
        f"eyJ{'[' * 500}.{body}.{signature}",
        f"eyJ{'x' * 5000}.{body}.{signature}",
        "eyJ..",
        "eyJé.x.y",
    ]


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
async def test_no_forged_token_opens_anything(door):
    held = await token(door, "forged@example.test")
    assert (await door.call("GET", "/api/users/me", key=held)).status == 200
    for forged in forgeries(held, door.service.sealer):
        for method, path in (("GET", "/api/users/me"), ("POST", "/api/auth/refresh")):
            answer = await door.call(method, path, key=forged)
            assert (answer.status, answer.json["error"]["code"]) == (401, "UNAUTHORIZED"), forged


async def test_the_windows_that_have_ended_are_dropped(door):
    await login(door, "swept@example.test", "wrong")
    await door.service.database.execute("UPDATE login_attempts SET until = now() - interval '1 second'")
    assert await attempts.sweep(door.service.database, 1) == 1
    assert await attempts.sweep(door.service.database, 10) == 1
    assert await attempts.sweep(door.service.database, 10) == 0
