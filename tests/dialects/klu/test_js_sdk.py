"""The JavaScript SDK, unchanged, against the whole engine: what a program written for Klu does, and what it gets."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
import pytest_asyncio

from tests.dialects import sdk
from tests.dialects.sdk import Sdk, SdkError
from tests.support.engine import Engine
from tests.support.provider import Answer
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio

NOBODY = "01a20000-0000-7000-8000-00000000dead"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def klu(engine: Engine) -> AsyncIterator[Sdk]:
    client = await engine.workspace("javascript")
    async with sdk.javascript(engine.url, client.key) as klu:
        yield klu


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def made(klu: Sdk, engine: Engine) -> SimpleNamespace:
    """An app with an action over a model of its own."""
    app = await klu("apps.create", {"name": "Support", "description": "Answers", "appType": "chat"})
    own = {"llm": "test-model", "provider": "Own", "key": "sk-1234567890abcdef", "url": engine.upstream.openai_url}
    model = await klu("models.create", own)
    action = await klu("actions.create", of(app, model))
    return SimpleNamespace(app=app["guid"], model=model["guid"], action=action["guid"])


def of(app: dict, model: dict, **changes: object) -> dict:
    return {
        "name": "Answer",
        "prompt": "Answer: {{question}}",
        "appId": app["guid"],
        "modelId": model["guid"],
        "actionType": "prompt",
        "description": "",
    } | changes


async def test_apps(klu, made):
    app = await klu("apps.create", {"name": "Shop", "description": "Sells", "appType": "chat"})
    assert (app["name"], app["appType"], app["enabled"]) == ("Shop", "chat", True)
    assert (await klu("apps.update", app["guid"], {"name": "Store"}))["name"] == "Store"
    assert (await klu("apps.get", app["guid"]))["name"] == "Store"
    assert {one["guid"] for one in await klu("apps.paginator.fetchAll", 1)} == {app["guid"], made.app}
    assert await klu("apps.paginator.fetchSinglePage", 3, 1) == []
    assert [one["guid"] for one in await klu("apps.getActions", made.app)] == [made.action]
    assert (await klu("apps.delete", app["guid"]))["deleted"] is True
    with pytest.raises(SdkError, match="Error"):
        await klu("apps.get", app["guid"])


async def test_an_action_is_made_changed_and_deleted(klu, made):
    config = {"temperature": 0.2, "maxResponseLength": 50, "seed": 7, "stopSequence": "END", "logitBias": []}
    given = of({"guid": made.app}, {"guid": made.model}, name="Draft", modelConfig=config, systemMessage="Be brief.")
    action = await klu("actions.create", given)
    assert (action["prompt"], action["appId"], action["modelId"]) == (given["prompt"], made.app, made.model)
    assert (action["actionType"], action["systemMessage"]) == ("prompt", "Be brief.")
    assert action["modelConfig"]["maxResponseLength"] == 50
    assert (await klu("actions.update", action["guid"], {"prompt": "Sing {{it}}"}))["prompt"] == "Sing {{it}}"
    assert len(await klu("actions.paginator.fetchAll")) == 2
    assert (await klu("actions.delete", action["guid"]))["guid"] == action["guid"]
    with pytest.raises(SdkError, match="InstanceRelationshipNotFoundError"):
        await klu("actions.create", given | {"appId": NOBODY})


async def test_versions_are_deployed_and_disabled(klu, made, engine):
    action = (await klu("actions.create", of({"guid": made.app}, {"guid": made.model}, prompt="Hello")))["guid"]
    await klu("actions.update", action, {"prompt": "Bye"})
    [_, first] = await klu("actions.getVersions", action)
    assert (await klu("actions.deploy", action, first["guid"], "production"))["message"]
    await klu("actions.prompt", action, "", {"environment": "production"})
    assert engine.upstream.asked[-1].body["messages"][-1]["content"] == "Hello"
    assert (await klu("actions.disable", action))["message"]
    with pytest.raises(SdkError, match="409"):
        await klu("actions.prompt", action, "")


async def test_an_action_is_run(klu, made, engine):
    engine.says("Because.")
    answer = await klu("actions.prompt", made.action, {"question": "Why?"})
    assert answer["msg"] == "Because."
    assert answer["data_guid"] in answer["feedbackUrl"]
    point = await klu("data.get", answer["data_guid"])
    assert (point["actionGuid"], point["output"], point["model"]) == (made.action, "Because.", "test-model")
    assert (point["numInputTokens"], point["numOutputTokens"]) == (12, 5)
    with pytest.raises(SdkError, match="Action with id"):
        await klu("actions.prompt", NOBODY, "Why?")


async def test_an_action_is_streamed(klu, made, engine):
    engine.upstream.plays(Answer(pieces=tuple(f"{n} " for n in range(40)), between=0.002))
    answer = await klu("actions.stream", made.action, "Why?")
    assert answer["msg"]
    assert "".join(answer["tokens"]) == "".join(f"{n} " for n in range(40))


async def test_an_action_is_run_asynchronously(klu, made, engine):
    engine.says("Later.")
    accepted = await klu("actions.asyncPrompt", made.action, "Why?")

    async def result():
        found = await klu("actions.getAsyncPromptResult", accepted["resultUrl"])
        return found if found["status"] != "PENDING" else None

    assert await eventually(result) == {"msg": "Later.", "status": "SUCCESS"}


async def test_a_prompt_is_tried_in_the_playground(klu, made, engine):
    engine.says("Be", "cause.")
    config = {"values": {"it": "that"}, "modelConfig": {"temperature": 0.3}}
    answer = await klu("actions.playground", "Why {{it}}?", made.model, config)
    assert "".join(answer["tokens"]) == "Because."
    assert engine.upstream.asked[-1].body["messages"][-1]["content"] == "Why that?"


async def test_a_session_remembers(klu, made, engine):
    one = (await klu("sessions.create", {"action": made.action, "name": "Talk", "extUserId": "ada"}))["guid"]
    for said, heard in (("I am Ada.", "Hello, Ada."), ("Who am I?", "Ada.")):
        engine.says(heard)
        assert (await klu("actions.prompt", made.action, said, {"session": one}))["msg"] == heard
    assert engine.upstream.asked[-1].body["messages"][1]["content"] == "Hello, Ada."
    assert (await klu("sessions.get", one))["name"] == "Talk"
    of_ada = await klu("sessions.paginator.fetchAll", 10, {"extUserId": "ada", "action": made.action})
    assert [each["guid"] for each in of_ada] == [one]
    assert (await klu("sessions.delete", one))["guid"] == one


async def test_the_data_points_of_an_action_and_of_its_app(klu, made):
    of_action, of_app = await klu("actions.getData", made.action), await klu("apps.getData", made.app)
    assert of_action
    assert {point["guid"] for point in of_action} <= {point["guid"] for point in of_app}


async def test_a_data_point_is_written_by_hand_corrected_and_deleted(klu, made):
    given = {"input": "Why?", "output": "Because.", "actionGuid": made.action, "metadata": {"of": "us"}, "latency": 9}
    point = await klu("data.create", given)
    assert (point["output"], point["metadata"]["of"], point["actionGuid"]) == ("Because.", "us", made.action)
    changed = await klu("data.update", point["guid"], {"output": "Since.", "metadata": {"of": "them"}})
    assert (changed["output"], changed["metadata"]["of"]) == ("Since.", "them")
    assert (await klu("data.delete", point["guid"]))["guid"] == point["guid"]


async def test_feedback(klu, made, engine):
    engine.says("Because.")
    point = (await klu("actions.prompt", made.action, "Why?"))["data_guid"]
    given = {"type": "rating", "value": "2", "dataGuid": point, "createdById": "ada", "metadata": {"where": "chat"}}
    said = await klu("feedback.create", given)
    assert (said["type"], said["value"], said["dataGuid"]) == ("rating", "2", point)
    assert (await klu("feedback.update", said["guid"], {"value": "1"}))["value"] == "1"
    assert (await klu("feedback.get", said["guid"]))["metadata"] == {"where": "chat"}
    [shown] = (await klu("data.get", point))["feedback"]
    assert shown["metadata"] == {"where": "chat"}
    assert (await klu("feedback.delete", said["guid"]))["guid"] == said["guid"]


async def test_a_context_is_filled_and_searched(klu, tmp_path):
    file = tmp_path / "closing.txt"
    file.write_text("The shop closes at six.")
    named = {"filePath": str(file), "fileName": "closing.txt"}
    guid = (await klu("contexts.create", {"name": "Shop", "description": "About it", "fileData": [named]}))["guid"]
    added = await klu("contexts.addDoc", guid, {"content": "The shop opens at nine.", "metaData": {"lang": "en"}})
    assert added["status"] == "SUCCESS"
    assert (await klu("contexts.uploadContextFiles", guid, [named]))["guid"] == guid

    async def ready():
        return await klu("contexts.getStatus", guid) == "SUCCESS"

    await eventually(ready)
    found = await klu("contexts.search", guid, "When does the shop close?")
    assert {one["content"] for one in found} == {"The shop opens at nine.", "The shop closes at six."}
    [english] = await klu("contexts.search", guid, "When?", 0, 10, "", {"lang": "en"})
    assert english["content"] == "The shop opens at nine."
    assert {one["content"] for one in await klu("contexts.listDocs", guid)} >= {"The shop opens at nine."}
    [doc] = added["docs"]
    changed = await klu("contexts.updateDoc", doc, guid, {"content": "The shop opens at ten.", "filter": "ours"})
    assert changed["content"] == "The shop opens at ten."
    await eventually(ready)
    [found] = await klu("contexts.search", guid, "When?", 0, 10, "ours")
    assert found["content"] == "The shop opens at ten."
    assert (await klu("contexts.embed", guid))["message"]
    answer = await klu("contexts.prompt", guid, "When does the shop close?", "search", 20, 1)
    assert answer["msg"] == "Hello from the model."
    assert await klu("contexts.deleteAllDocs", guid) == {"status": "SUCCESS"}
    assert (await klu("contexts.update", guid, {"name": "Store"}))["name"] == "Store"
    assert (await klu("contexts.get", guid))["name"] == "Store"
    assert (await klu("contexts.delete", guid))["guid"] == guid


async def test_an_action_answers_from_its_contexts(klu, made):
    context = (await klu("contexts.create", {"name": "Shop", "description": "About it"}))["guid"]
    assert await klu("actions.updateContext", made.action, [context]) is True
    assert [one["guid"] for one in await klu("actions.getContext", made.action)] == [context]
    assert await klu("actions.updateContext", made.action, []) is True


async def test_models_and_providers(klu, made, engine):
    assert {"test-model"} <= {one["llm"] for one in await klu("models.getAllModels")}
    assert (await klu("models.get", made.model))["provider"] == "Own"
    assert (await klu("models.getDefault"))["guid"]
    added = await klu("models.addProvider", "Other", "sk-1234567890abcdef", engine.upstream.openai_url)
    assert (added["name"], added["models"]) == ("Other", [])
    assert added["guid"] in {one["guid"] for one in await klu("models.getProviders")}
    await klu(
        "models.updateProvider", added["guid"], "Mine", False, engine.upstream.openai_url, "sk-another-0123456789"
    )
    assert await klu("models.deleteProvider", added["guid"]) == "Success"


async def test_a_data_point_tells_what_it_cost(klu, made, engine):
    point = (await klu("actions.prompt", made.action, "Why?"))["data_guid"]
    assert (await klu("data.get", point))["metadata"]["cost_usd"] is None
    given = {"price": {"input": 0.15, "output": "0.6"}}
    shown = await klu("models.apiClient.put", made.model, given)
    assert shown["price"] == {"input": 0.15, "output": 0.6, "cached": None}
    point = (await klu("actions.prompt", made.action, "Why?"))["data_guid"]
    metadata = (await klu("data.get", point))["metadata"]
    assert (metadata["cost_usd"], metadata["tokens_counted"]) == (0.0000048, False)
    assert metadata["first_token_ms"] > 0


async def test_workspaces(klu):
    own = await klu("workspaces.getCurrent")
    assert [one["guid"] for one in await klu("workspaces.paginator.fetchAll")] == [own["guid"]]
    assert len(await klu("workspaces.getApps", own["guid"])) == 1
    assert await klu("workspaces.getModels", own["guid"])
    assert isinstance(await klu("workspaces.getContexts", own["guid"]), list)
    assert (await klu("workspaces.get", own["guid"]))["slug"] == own["slug"]


async def test_a_key_that_is_none(engine):
    async with sdk.javascript(engine.url, "pv_nobodys/key+with=signs") as klu:
        with pytest.raises(SdkError, match="Unauthorized"):
            await klu("apps.paginator.fetchAll")


async def test_an_experiment_is_made_run_and_changed(klu, made, engine):
    other = await klu("actions.create", of({"guid": made.app}, {"guid": made.model}, prompt="Other: {{question}}"))
    given = {"name": "Which?", "appGuid": made.app, "actionPrimaryGuid": made.action}
    experiment = await klu("experiments.create", given | {"actionSecondaryGuid": other["guid"]})
    assert (experiment["status"], experiment["actionSecondaryGuid"]) == ("running", other["guid"])
    guid = experiment["guid"]
    engine.says("First.")
    answer = await klu("experiments.runPrompt", guid, {"question": "Why?"}, {"forceAction": other["guid"]})
    assert answer["msg"] == "First."
    assert engine.upstream.asked[-1].body["messages"][-1]["content"] == "Other: Why?"
    engine.upstream.plays(Answer(pieces=("a", "b", "c"), between=0.002))
    streamed = await klu("experiments.stream", guid, {"question": "Why?"})
    assert "".join(streamed["tokens"]) == "abc"
    assert (await klu("experiments.update", guid, {"name": "That?"}))["name"] == "That?"
    assert (await klu("experiments.get", guid))["name"] == "That?"
    assert (await klu("experiments.delete", guid))["guid"] == guid
    with pytest.raises(SdkError, match="ExperimentNotFoundError"):
        await klu("experiments.prompt", guid, "Why?")
