"""An experiment from its beginning to what it came to, over HTTP: runs in the runner, ratings in feedback."""

import pytest

from tests.support.provider import Answer
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio


async def test_two_actions_are_tried_and_compared(engine):
    client = await engine.workspace("experiments")
    app = await client.post("/v1/apps", {"name": "Shop"})
    first, second = [
        await client.post("/v1/actions/create", {"name": name, "prompt": f"{name}: {{{{q}}}}", "app": app["guid"]})
        for name in ("One", "Two")
    ]
    variants = [{"action": first["guid"], "weight": 3}, {"action": second["guid"], "version": 1}]
    made = await client.post("/v1/experiments", {"name": "Which?", "variants": variants})
    assert [one["version_number"] for one in made["variants"]] == [None, 1]
    address = f"/v1/experiments/{made['guid']}"

    engine.upstream.default = Answer(usage=(10, 5))
    actions = {}
    for place in range(12):
        body = {"input": {"q": "?"}, "experiment": made["guid"], "action": first["guid"], "extUserId": f"user {place}"}
        point = await client.get(f"/v1/data/{(await client.post('/v1/actions', body))['data_guid']}")
        assert point["meta_data"]["experiment"] == made["guid"]
        actions[point["guid"]] = point["action"]
    assert set(actions.values()) == {first["guid"], second["guid"]}
    for guid, action in actions.items():
        value = 2 if action == first["guid"] else 1
        await client.post("/v1/feedback", {"data_guid": guid, "type": "rating", "value": value})

    async def results():
        found = await client.get(f"{address}/results")
        rated = sum(one["rating"]["positive"] + one["rating"]["negative"] for one in found["variants"])
        return found if rated == 12 else None

    one, two = (await eventually(results))["variants"]
    count = sum(action == first["guid"] for action in actions.values())
    assert (one["action"], one["runs"], one["num_input_tokens"]) == (first["guid"], count, 10 * count)
    assert (one["rating"]["positive_share"], two["rating"]["positive_share"]) == (1.0, 0.0)
    assert 0 < one["rating"]["low"] < 1 == one["rating"]["high"]
    assert one["latency_p95"] >= one["latency_p50"] > 0

    assert (await client.post(f"{address}/stop"))["status"] == "stopped"
    answer = await client.post(f"{address}/prompt", {"input": {"q": "?"}, "extUserId": "user 1"})
    assert (await client.get(f"/v1/data/{answer['data_guid']}"))["action"] == first["guid"]
    assert sum(one["runs"] for one in (await client.get(f"{address}/results"))["variants"]) == 12
    assert (await client.post(f"{address}/start"))["status"] == "running"
    page = await client.get("/v1/experiments?limit=1")
    assert (page["total_count"], page["data"][0]["guid"]) == (1, made["guid"])
    stranger = await engine.workspace("strangers")
    assert (await stranger.call("GET", f"{address}/results"))[0] == 404
