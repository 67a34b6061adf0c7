"""Which is better? An experiment and an eval over HTTP, in which four services and a model have a say."""

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


async def test_answers_are_judged_by_every_type_of_check(engine):
    client = await engine.workspace("evals")
    app = await client.post("/v1/apps", {"name": "Shop"})
    asked = {"name": "Answer", "prompt": "Answer: {{q}}", "app": app["guid"]}
    action = (await client.post("/v1/actions/create", asked))["guid"]
    golden = {"action": action, "input": {"q": "When?"}, "output": "The shop is open from nine to five."}
    point = (await client.post("/v1/data", golden))["guid"]
    dataset = await client.post("/v1/datasets", {"name": "Golden", "app": app["guid"], "data": [point]})

    def script(asked):
        judged = "Criteria" in asked.body["messages"][-1]["content"]
        return Answer(pieces=('{"score": 1, "reason": "Polite."}' if judged else "Open from nine until five.",))

    engine.upstream.script = script
    checks = [
        "exact",
        {"type": "contains", "expected": "NINE", "ignore_case": True},
        {"type": "regex", "pattern": r"five\.$"},
        {"type": "json_schema", "schema": {"type": "object"}},
        {"type": "similarity", "threshold": 0.5},
        {"type": "similarity", "expected": "Whales are mammals.", "threshold": 0.5},
        {"type": "LLM as judge", "criteria": "It is polite."},
    ]
    body = {"name": "Good?", "action": action, "eval_types": checks, "dataset": dataset["guid"]}
    made = await client.post("/v1/evals", body)
    begun = await client.post(f"/v1/evals/{made['guid']}/run")
    address = f"/v1/evals/{made['guid']}/runs/{begun['guid']}"

    async def finished():
        run = await client.get(address)
        return run if run["metadata"]["status"] == "finished" else None

    run = await eventually(finished)
    engine.upstream.script = None
    assert [one["passed"] for one in run["metadata"]["eval_types"]] == [0, 1, 1, 0, 1, 0, 1]
    assert (run["metadata"]["failed"], run["metadata"]["pass_rate"]) == (1, 0.0)
    page = await client.get(f"{address}/results?limit=10")
    [row] = page["data"]
    assert (row["data"], row["passed"], row["verdicts"][6]["reason"]) == (point, False, "Polite.")
    assert row["verdicts"][4]["score"] > 0.5 > row["verdicts"][5]["score"]
    tried = await client.get(f"/v1/data/{row['answer']}")
    assert (tried["output"], tried["meta_data"]["source"]) == ("Open from nine until five.", "EVAL")
    status, refused = await client.call("POST", "/v1/evals", body | {"eval_types": ["taste"]})
    assert (status, "llm_judge" in refused["detail"]) == (422, True)
    assert (await client.call("GET", f"/v1/evals/{made['guid']}/runs/{made['guid']}"))[0] == 404
