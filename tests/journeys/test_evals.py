"""An eval with every type of check, over HTTP: the runner, retrieval and a model judge."""

import pytest

from tests.support.provider import Answer
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio


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
