"""From a fact on the bus to a signed request at a real receiver, and back into the log."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from libs.contracts import deliveries, documents, endpoints, feedback, ids, runs
from libs.contracts.faults import Code, Fault
from tests.services.webhook_dispatcher.conftest import delivered, due_now, latest, rated, settled
from tests.support.calling import state
from tests.support.receiver import receiver
from tests.support.waiting import eventually

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("dispatcher")]


async def test_a_finished_run_arrives_signed_and_whole(bus, subscribe):
    workspace, run = ids.new(), ids.new()
    async with receiver() as r:
        made = await subscribe(workspace, r.url, "generation.completed")
        at = datetime.now(UTC)
        event = await state(
            bus,
            runs.FINISHED,
            runs.RunFinished(
                workspace, run, ids.new(), runs.Status.SUCCEEDED, runs.Mode.BLOCKING, "klu", "m", "p", runs.Usage(), at
            ),
        )
        (got,) = await r.wait(1)

    body = Webhook(made.secret).verify(got.body, dict(got.headers))
    digest = hmac.new(made.secret.encode(), got.body, hashlib.sha256).hexdigest()
    assert got.headers["X-KlairoAI-Signature"] == f"sha256={digest}"
    assert got.headers["X-KlairoAI-Event"] == body["event"] == "generation.completed"
    assert got.headers["X-KlairoAI-Delivery"] == got.headers["webhook-id"]
    assert got.headers["Content-Type"] == "application/json"
    assert ids.parse(body["event_id"]) == event
    assert body["data"]["run_id"] == str(run)

    delivery = await settled(bus, made.endpoint)
    assert str(delivery.id) == got.headers["X-KlairoAI-Delivery"]
    assert (delivery.status, delivery.event_id, delivery.next_attempt_at) == ("delivered", event, None)
    (attempt,) = delivery.attempts
    assert (attempt.number, attempt.status_code, attempt.error) == (1, 200, None)


async def test_an_event_reaches_those_who_subscribed_to_it_and_nobody_else(bus, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        heard = [["feedback.created"], ["feedback.*"], ["*"], ["contact.*", "feedback.created"], ["*", "feedback.*"]]
        deaf = [["generation.*"], ["document.failed"], ["test.ping"]]
        for place, events in enumerate(heard):
            await subscribe(workspace, f"{r.url}/heard/{place}", *events)
        for place, events in enumerate(deaf):
            await subscribe(workspace, f"{r.url}/deaf/{place}", *events)
        await subscribe(ids.new(), f"{r.url}/stranger", "*")
        await state(bus, feedback.CREATED, rated(workspace))
        last = (await subscribe(workspace, f"{r.url}/last", "document.indexed")).endpoint
        await state(bus, documents.INDEXED, documents.DocumentIndexed(workspace, ids.new(), ids.new(), "a.md", 3))
        await settled(bus, last)
        paths = sorted(got.path for got in r.received if got.headers["X-KlairoAI-Event"] == "feedback.created")
    assert paths == [f"/hook/heard/{place}" for place in range(len(heard))]


async def test_an_event_with_two_names_is_delivered_once_under_the_one_subscribed_to(bus, subscribe):
    workspace, at = ids.new(), datetime.now(UTC)
    fact = runs.RunFinished(
        workspace, ids.new(), ids.new(), runs.Status.SUCCEEDED, runs.Mode.BLOCKING, "klairo", "m", "p", runs.Usage(), at
    )
    heard = {
        "first": ["aria.message"],
        "second": ["chat.message.created"],
        "prefix": ["chat.*", "generation.failed"],
        "both": ["chat.message.created", "aria.*"],
        "all": ["*"],
    }
    async with receiver() as r:
        for place, events in heard.items():
            await subscribe(workspace, f"{r.url}/{place}", *events)
        await state(bus, runs.FINISHED, fact)
        last = (await subscribe(workspace, f"{r.url}/last", "document.indexed")).endpoint
        await state(bus, documents.INDEXED, documents.DocumentIndexed(workspace, ids.new(), ids.new(), "a.md", 3))
        await settled(bus, last)
        await r.wait(len(heard) + 3)
        got = sorted((got.path.rpartition("/")[2], got.headers["X-KlairoAI-Event"]) for got in r.received)
    assert got == [
        ("all", "aria.message"),
        ("all", "document.indexed"),
        ("all", "generation.completed"),
        ("both", "aria.message"),
        ("first", "aria.message"),
        ("last", "document.indexed"),
        ("prefix", "chat.message.created"),
        ("second", "chat.message.created"),
    ]


async def test_a_document_that_failed_says_why(bus, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        await subscribe(workspace, r.url, "document.*")
        await state(
            bus, documents.FAILED, documents.DocumentFailed(workspace, ids.new(), ids.new(), "b.pdf", "Encrypted.")
        )
        (got,) = await r.wait(1)
    assert json.loads(got.body)["data"]["error"] == "Encrypted."


@pytest.mark.parametrize("forgotten", [False, True])
async def test_an_event_heard_twice_is_delivered_once(bus, dispatcher, subscribe, forgotten):
    """The ids of events are kept for days, the log of deliveries for weeks."""
    workspace, event = ids.new(), ids.new()
    async with receiver() as r:
        endpoint = (await subscribe(workspace, r.url)).endpoint
        fact = rated(workspace)
        await state(bus, feedback.CREATED, fact, id=event)
        await settled(bus, endpoint)
        if forgotten:
            await dispatcher.database.execute("DELETE FROM events_seen WHERE id = $1", event)
        await state(bus, feedback.CREATED, fact, id=event)
        await state(bus, feedback.CREATED, rated(workspace))
        await r.wait(2)
        assert len(await latest(bus, endpoint)) == 2
    assert len(r.received) == 2


async def test_what_arrived_is_stated_as_a_number_by_workspace(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await subscribe(workspace, f"{r.url}/other")
        for _ in range(3):
            await state(bus, feedback.CREATED, rated(workspace))
        await r.wait(6)
        await delivered(bus, endpoint, count=3)

    async def arrived() -> bool:
        rows = await dispatcher.database.fetch("SELECT body FROM outbox WHERE subject = $1", deliveries.ARRIVED.name)
        facts = [deliveries.ARRIVED.unpack(row["body"]) for row in rows]
        return sum(fact.deliveries for fact in facts if fact.workspace_id == workspace) == 6

    await eventually(arrived)


async def test_a_delivery_is_tried_five_times_over_the_schedule_and_then_failed(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(500, body=b"down for maintenance")
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        waits = []
        for attempt in range(1, 5):
            delivery = await settled(bus, endpoint, attempts=attempt)
            assert delivery.status == "pending"
            assert delivery.next_attempt_at is not None
            waits.append((delivery.next_attempt_at - delivery.attempts[-1].at).total_seconds())
            await due_now(dispatcher, delivery.id)
        delivery = await settled(bus, endpoint, attempts=5)
        received = r.received

    assert (delivery.status, delivery.next_attempt_at) == ("failed", None)
    for wait, step in zip(waits, (300, 1800, 7200, 28800), strict=True):
        assert step <= wait <= step * 1.1 + 15
    assert [attempt.number for attempt in delivery.attempts] == [1, 2, 3, 4, 5]
    assert {attempt.excerpt for attempt in delivery.attempts} == {"down for maintenance"}
    assert {attempt.status_code for attempt in delivery.attempts} == {500}
    assert len(received) == 5
    assert len({got.headers["X-KlairoAI-Delivery"] for got in received}) == 1
    assert len({got.body for got in received}) == 1


async def test_a_receiver_that_recovers_gets_the_same_delivery(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(500, times=1)
        made = await subscribe(workspace, r.url)
        await state(bus, feedback.CREATED, rated(workspace))
        await due_now(dispatcher, (await settled(bus, made.endpoint)).id)
        delivery = await settled(bus, made.endpoint, attempts=2)
        first, second = r.received
    assert delivery.status == "delivered"
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    Webhook(made.secret).verify(second.body, dict(second.headers))


@pytest.mark.parametrize(
    ("status", "wants", "least", "most"),
    [
        (429, "400", 400, 415),
        (503, "400", 400, 415),
        (429, "1", 300, 315),
        (503, "86400", 600, 615),
        (500, "400", 300, 345),
        (429, "whenever", 300, 345),
    ],
)
async def test_a_busy_receiver_says_when_within_bounds(bus, subscribe, status, wants, least, most):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(status, {"Retry-After": wants})
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        delivery = await settled(bus, endpoint)
    assert delivery.next_attempt_at is not None
    assert timedelta(seconds=least) <= delivery.next_attempt_at - delivery.attempts[0].at <= timedelta(seconds=most)


async def test_a_redirect_is_a_failure_and_is_not_followed(bus, subscribe):
    workspace = ids.new()
    async with receiver() as r, receiver() as elsewhere:
        r.answer(302, {"Location": elsewhere.url})
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        delivery = await settled(bus, endpoint)
    assert delivery.attempts[0].status_code == 302
    assert "redirect" in (delivery.attempts[0].error or "")
    assert elsewhere.received == []


async def test_an_endpoint_that_answers_gone_is_disabled(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(500, times=1)
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        waiting = await settled(bus, endpoint)
        r.answer(410)
        await state(bus, feedback.CREATED, rated(workspace))
        await r.wait(2)
        gone = await settled(bus, endpoint)
        log = {delivery.id: delivery.status for delivery in await latest(bus, endpoint)}
        (listed,) = (await bus.call(endpoints.PAGE, endpoints.PageEndpoints(workspace))).items

        with pytest.raises(Fault) as refused:
            await bus.call(deliveries.TEST, deliveries.SendTest(workspace, endpoint.id))
        await state(bus, feedback.CREATED, rated(workspace))
        other = (await subscribe(workspace, f"{r.url}/other", "document.indexed")).endpoint
        await state(bus, documents.INDEXED, documents.DocumentIndexed(workspace, ids.new(), ids.new(), "a.md", 3))
        await settled(bus, other)
        assert len(await latest(bus, endpoint)) == 2
    assert log == {waiting.id: "failed", gone.id: "failed"}
    assert listed.status == "disabled"
    assert refused.value.code is Code.CONFLICT


async def test_a_receiver_that_is_not_there_is_tried_again(bus, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        url = r.url
    endpoint = (await subscribe(workspace, url)).endpoint
    await state(bus, feedback.CREATED, rated(workspace))
    delivery = await settled(bus, endpoint)
    assert delivery.status == "pending"
    assert delivery.attempts[0].status_code is None
    assert "No connection" in (delivery.attempts[0].error or "")


async def test_an_address_that_became_private_is_not_connected_to(bus, dispatcher, subscribe):
    """The guard stands at every attempt, not only where the endpoint was made."""
    workspace = ids.new()
    endpoint = (await subscribe(workspace, "http://127.0.0.1:9/")).endpoint
    await dispatcher.database.execute("UPDATE endpoints SET url = 'https://10.0.0.1/' WHERE id = $1", endpoint.id)
    await state(bus, feedback.CREATED, rated(workspace))
    delivery = await settled(bus, endpoint)
    assert "no public address" in (delivery.attempts[0].error or "")


async def test_of_an_answer_one_kibibyte_is_kept(bus, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(200, body=b"\x00\xff" + b"x" * 5_000_000)
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        delivery = await settled(bus, endpoint)
    assert delivery.status == "delivered"
    assert delivery.attempts[0].excerpt == "\ufffd\ufffd" + "x" * 1022


async def test_a_test_goes_to_its_endpoint_alone_whatever_it_subscribed_to(bus, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        made = await subscribe(workspace, f"{r.url}/this", "document.failed")
        await subscribe(workspace, f"{r.url}/other", "*")
        queued = await bus.call(deliveries.TEST, deliveries.SendTest(workspace, made.endpoint.id))
        delivery = await settled(bus, made.endpoint)
        (got,) = r.received
    assert (queued.status, queued.event) == ("pending", "test.ping")
    assert (delivery.id, delivery.status) == (queued.id, "delivered")
    assert got.path == "/hook/this"
    body = Webhook(made.secret).verify(got.body, dict(got.headers))
    assert ids.parse(body["data"]["webhook_id"]) == made.endpoint.id


async def test_the_log_holds_the_last_fifty_newest_first(bus, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        endpoint = (await subscribe(workspace, r.url)).endpoint
        told = []
        for _ in range(60):
            told.append(await state(bus, feedback.CREATED, rated(workspace)))
            await asyncio.sleep(0.002)  # ids are ordered by the millisecond
        await r.wait(60)
        log = await latest(bus, endpoint)
    assert [delivery.event_id for delivery in log] == told[:9:-1]


async def test_a_deleted_endpoint_gets_nothing_more(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(500)
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        await settled(bus, endpoint)
        await bus.call(endpoints.DELETE, endpoints.GetEndpoint(workspace, endpoint.id))
    left = await dispatcher.database.fetchval("SELECT count(*) FROM queue WHERE endpoint_id = $1", endpoint.id)
    assert left == 0
    with pytest.raises(Fault) as refused:
        await latest(bus, endpoint)
    assert refused.value.code is Code.NOT_FOUND


async def test_what_a_dead_dispatcher_had_claimed_is_taken_up(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        r.answer(500, times=1)
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        delivery = await settled(bus, endpoint)
        await dispatcher.database.execute(
            "UPDATE queue SET due_at = now(), claimed_until = now() - interval '1 second' WHERE delivery_id = $1",
            delivery.id,
        )
        await r.wait(2)
        assert (await settled(bus, endpoint, attempts=2)).status == "delivered"


async def test_a_changed_secret_signs_beside_the_former_one_for_a_day(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        made = await subscribe(workspace, r.url)
        named = endpoints.GetEndpoint(workspace, made.endpoint.id)
        changed = await bus.call(endpoints.ROTATE, named)
        assert (changed.endpoint.id, changed.secret != made.secret) == (made.endpoint.id, True)
        await state(bus, feedback.CREATED, rated(workspace))
        await r.wait(1)
        left = await dispatcher.database.fetchval(
            "SELECT extract(epoch FROM valid_until - now())::float8 FROM old_secrets WHERE endpoint_id = $1",
            made.endpoint.id,
        )
        await dispatcher.database.execute("UPDATE old_secrets SET valid_until = now()")
        await state(bus, feedback.CREATED, rated(workspace))
        both, one = await r.wait(2)
    assert left == pytest.approx(86400, abs=60)
    Webhook(changed.secret).verify(both.body, dict(both.headers))
    Webhook(made.secret).verify(both.body, dict(both.headers))
    Webhook(changed.secret).verify(one.body, dict(one.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(made.secret).verify(one.body, dict(one.headers))


async def test_an_endpoint_that_wants_it_is_signed_for_with_a_key_that_only_we_have(bus, subscribe, dispatcher):
    workspace = ids.new()
    async with receiver() as r:
        wanted = endpoints.CreateEndpoint(workspace, r.url, ["*"], asymmetric=True)
        endpoint = (await bus.call(endpoints.CREATE, wanted)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        (got,) = await r.wait(1)
    assert endpoint.public_key is not None
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(endpoint.public_key.removeprefix("whpk_")))
    signature = got.headers["webhook-signature"].rpartition("v1a,")[2]
    message = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    public.verify(base64.b64decode(signature), message)


async def test_a_delivery_made_again_by_hand_has_an_id_of_its_own_and_names_the_first(bus, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        endpoint = (await subscribe(workspace, r.url)).endpoint
        await state(bus, feedback.CREATED, rated(workspace))
        first = await settled(bus, endpoint)
        wanted = deliveries.Redeliver(workspace, first.id, ids.new())
        queued = await bus.call(deliveries.REDELIVER, wanted)
        await r.wait(2)
        await bus.call(deliveries.REDELIVER, wanted)
        await bus.call(deliveries.TEST, deliveries.SendTest(workspace, endpoint.id))
        one, other, ping = await r.wait(3)
        again = next(each for each in await latest(bus, endpoint) if each.id == wanted.id)
    assert (queued.id, queued.status, queued.redelivery_of) == (wanted.id, "pending", first.id)
    assert (again.redelivery_of, again.event_id, first.redelivery_of) == (first.id, first.event_id, None)
    assert other.headers["webhook-id"] == str(wanted.id)
    assert other.body == one.body
    assert ping.headers["X-KlairoAI-Event"] == "test.ping"


async def test_only_ones_own_deliveries_are_made_again_and_only_while_they_are_kept(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        endpoint = (await subscribe(workspace, r.url)).endpoint
        event = await state(bus, feedback.CREATED, rated(workspace))
        first = await settled(bus, endpoint)
        for asked in (deliveries.Redeliver(ids.new(), first.id), deliveries.Redeliver(workspace, ids.new())):
            with pytest.raises(Fault) as refused:
                await bus.call(deliveries.REDELIVER, asked)
            assert refused.value.code is Code.NOT_FOUND
        await dispatcher.database.execute("DELETE FROM payloads WHERE event_id = $1", event)
        with pytest.raises(Fault) as refused:
            await bus.call(deliveries.REDELIVER, deliveries.Redeliver(workspace, first.id))
        assert refused.value.code is Code.CONFLICT
        await bus.call(endpoints.UPDATE, endpoints.UpdateEndpoint(workspace, endpoint.id, status="disabled"))
        with pytest.raises(Fault) as refused:
            await bus.call(deliveries.REDELIVER, deliveries.Redeliver(workspace, first.id))
        assert "disabled" in refused.value.message
    assert len(r.received) == 1


async def test_what_is_erased_takes_the_deliveries_made_again_of_it_along(bus, dispatcher, subscribe):
    workspace = ids.new()
    async with receiver() as r:
        endpoint = (await subscribe(workspace, r.url)).endpoint
        rating, kept = rated(workspace), rated(workspace)
        await state(bus, feedback.CREATED, rating)
        first = await settled(bus, endpoint)
        await bus.call(deliveries.REDELIVER, deliveries.Redeliver(workspace, first.id))
        await r.wait(2)
        event = await state(bus, feedback.CREATED, kept)
        await settled(bus, endpoint, event=event)
        await state(bus, runs.ERASED, runs.RunsErased(workspace, [rating.run_id]))
        async with asyncio.timeout(60):
            while True:
                left = await latest(bus, endpoint)
                if len(left) == 1:
                    break
                await asyncio.sleep(0.05)
    assert [each.event_id for each in left] == [event]
