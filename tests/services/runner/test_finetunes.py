"""Fine-tunes: what a dataset becomes, how a job is followed to its end, and what becomes of the model."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from libs.contracts import datasets, finetunes, ids, models, runs
from libs.contracts.actions import Parameters
from libs.contracts.datasets import CreateDataset, GetDataset
from libs.contracts.faults import Code, Fault
from libs.contracts.finetunes import CreateFinetune, Finetune, GetFinetune, ProcessFinetune
from libs.contracts.tools import SearchContext
from libs.runtime.service import Service
from tests.services.runner.conftest import Caller, eventually
from tests.services.runner.toolcases import make
from tests.support.finetuning import Endpoint, finetuning
from tests.support.provider import Answer, Call, calling
from tests.support.services import running
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio

ENDED = {"succeeded", "failed", "cancelled"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def runner(nats_url, databases, upstream) -> AsyncIterator[Service]:
    model = {"default_model_url": upstream.openai_url, "default_model_name": "small"}
    async with running("runner", nats_url, databases, finetune_seconds=0.05, **model) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def endpoint() -> AsyncIterator[Endpoint]:
    async with finetuning() as endpoint:
        yield endpoint


async def fault(call) -> Fault:
    with pytest.raises(Fault) as caught:
        await call
    return caught.value


async def dataset(caller: Caller, *answers: str) -> datasets.Dataset:
    action, points = await caller.action(), []
    for place, answer in enumerate(answers):
        asked = runs.RecordRun(caller.workspace_id, action.id, {"question": f"q{place}"}, answer, "klu")
        points.append((await caller.bus.call(runs.RECORD, asked)).id)
    return await caller.bus.call(datasets.CREATE, CreateDataset(caller.workspace_id, "Golden", run_ids=points))


async def made(caller: Caller, endpoint: Endpoint, *answers: str) -> Finetune:
    vendor = models.CreateProvider(caller.workspace_id, "Own", endpoint.key, endpoint.url)
    provider = await caller.bus.call(models.CREATE_PROVIDER, vendor)
    found = await dataset(caller, *answers)
    asked = CreateFinetune(caller.workspace_id, "Kind answers!", found.id, provider.id)
    return await caller.bus.call(finetunes.CREATE, asked)


async def begun(caller: Caller, finetune: Finetune, base: str = "gpt-4o-mini") -> Finetune:
    return await caller.bus.call(finetunes.PROCESS, ProcessFinetune(caller.workspace_id, finetune.id, base))


async def told(caller: Caller, finetune: Finetune) -> Finetune:
    return await caller.bus.call(finetunes.GET, GetFinetune(caller.workspace_id, finetune.id))


async def ended(caller: Caller, finetune: Finetune) -> Finetune:
    return await eventually(lambda: told(caller, finetune), lambda found: found.status in ENDED, seconds=60)


async def test_a_dataset_is_trained_on_and_the_model_is_the_workspaces(caller, endpoint):
    finetune = await made(caller, endpoint, "a", "b")
    assert (finetune.status, finetune.base_model) == ("created", "")
    assert (await begun(caller, finetune)).status == "uploading"
    done = await ended(caller, finetune)
    assert (done.status, done.error, done.job) == ("succeeded", "", "ftjob-1")
    assert done.finetuned == "ft:gpt-4o-mini:org:kind-answers:1"
    model = await caller.bus.call(models.GET, models.GetModel(caller.workspace_id, done.model_id))
    assert (model.llm, model.nickname, model.provider.id) == (done.finetuned, "Kind answers!", done.provider_id)
    assert [example["messages"][-1]["content"] for example in endpoint.examples("file-1")] == ["b", "a"]
    assert (len(endpoint.files), len(endpoint.jobs)) == (1, 1)
    again = await begun(caller, finetune, "gpt-4o")
    assert (again.base_model, again.finetuned, again.model_id) == ("gpt-4o", "", None)
    assert (await ended(caller, finetune)).finetuned == "ft:gpt-4o:org:kind-answers:1"


async def test_a_job_whose_beginning_was_not_heard_of_is_not_begun_twice(caller, endpoint):
    endpoint.lost = 1
    finetune = await made(caller, endpoint, "a")
    await begun(caller, finetune)
    assert (await ended(caller, finetune)).status == "succeeded"
    assert len(endpoint.jobs) == 1


async def test_what_goes_on_is_not_begun_again_and_is_cancelled_with_its_deletion(caller, endpoint):
    endpoint.steps = ["running"]
    finetune = await made(caller, endpoint, "a")
    await begun(caller, finetune)
    asked = GetFinetune(caller.workspace_id, finetune.id)
    await eventually(lambda: caller.bus.call(finetunes.GET, asked), lambda found: found.status == "running")
    assert (await fault(begun(caller, finetune))).code is Code.CONFLICT
    assert (await caller.bus.call(finetunes.DELETE, asked)).job == "ftjob-1"
    assert endpoint.jobs["ftjob-1"].status == "cancelled"
    assert (await fault(caller.bus.call(finetunes.GET, asked))).code is Code.NOT_FOUND


async def test_a_job_is_cancelled_though_its_endpoint_was_away_when_it_was_asked_last(caller, endpoint):
    endpoint.steps = ["running"]
    finetune = await made(caller, endpoint, "a")
    await begun(caller, finetune)
    await eventually(lambda: told(caller, finetune), lambda found: found.status == "running")
    endpoint.fails = [web.Response(status=503, headers={"Retry-After": "60"})]
    await eventually(lambda: told(caller, finetune), lambda found: bool(found.error))
    await caller.bus.call(finetunes.DELETE, GetFinetune(caller.workspace_id, finetune.id))
    assert endpoint.jobs["ftjob-1"].status == "cancelled"


async def test_a_job_that_is_begun_while_its_fine_tune_is_deleted_is_cancelled(caller, endpoint):
    endpoint.steps, endpoint.gate = ["running"], asyncio.Event()
    finetune = await made(caller, endpoint, "a")
    await begun(caller, finetune)
    await until(lambda: bool(endpoint.jobs))
    await caller.bus.call(finetunes.DELETE, GetFinetune(caller.workspace_id, finetune.id))
    endpoint.gate.set()
    await until(lambda: endpoint.jobs["ftjob-1"].status == "cancelled")


async def test_an_endpoint_that_is_away_is_asked_again(caller, endpoint):
    endpoint.fails = [web.Response(status=503), web.Response(status=429, headers={"Retry-After": "0"})]
    finetune = await made(caller, endpoint, "a")
    await begun(caller, finetune)
    assert (await ended(caller, finetune)).status == "succeeded"


async def test_while_it_is_asked_again_it_says_what_was_wrong(caller, endpoint):
    endpoint.fails = [web.Response(status=503, text="Back at nine.", headers={"Retry-After": "1"})]
    finetune = await made(caller, endpoint, "a")
    await begun(caller, finetune)
    waiting = await eventually(lambda: told(caller, finetune), lambda found: bool(found.error))
    assert (waiting.status, "Back at nine." in waiting.error) == ("uploading", True)
    done = await ended(caller, finetune)
    assert (done.status, done.error) == ("succeeded", "")


@pytest.mark.parametrize(
    ("change", "answers", "reason"),
    [
        ({"least": 10}, ["a"], "at least 10 examples"),
        ({}, [], "no data point with an answer"),
        ({"steps": ["validating_files", "failed"], "error": "Too rude."}, ["a"], "Too rude."),
        ({"steps": ["validating_files", "failed"], "error": "Too\0rude."}, ["a"], "Too\ufffdrude."),
    ],
)
async def test_what_the_provider_does_not_want_has_failed_and_says_why(caller, endpoint, change, answers, reason):
    for name, value in change.items():
        setattr(endpoint, name, value)
    finetune = await made(caller, endpoint, *answers)
    await begun(caller, finetune)
    failed = await ended(caller, finetune)
    assert (failed.status, failed.model_id) == ("failed", None)
    assert reason in failed.error


async def test_a_key_is_in_no_error(caller, endpoint):
    finetune = await made(caller, endpoint, "a")
    key, endpoint.key = endpoint.key, "sk-another-one-0000"
    await begun(caller, finetune)
    endpoint_says = (await ended(caller, finetune)).error
    assert "Incorrect API key" in endpoint_says
    assert key not in endpoint_says


async def test_an_answer_that_can_not_be_read_is_asked_for_again(caller, endpoint):
    odd = [web.Response(status=200, body=b"no json") for _ in range(3)]
    endpoint.steps = ["running", "running", "succeeded"]
    finetune = await made(caller, endpoint, "a")
    endpoint.fails = odd
    await begun(caller, finetune)
    assert (await ended(caller, finetune)).status == "succeeded"
    assert len(endpoint.jobs) == 1


async def test_only_a_provider_of_ones_own_trains(caller, other, endpoint):
    theirs = await made(other, endpoint, "a")
    found = await dataset(caller, "a")
    asked = CreateFinetune(caller.workspace_id, "x", found.id, theirs.provider_id)
    assert (await fault(caller.bus.call(finetunes.CREATE, asked))).code is Code.NOT_FOUND
    without = await caller.bus.call(finetunes.CREATE, CreateFinetune(caller.workspace_id, "x", found.id))
    refused = await fault(begun(caller, without))
    assert (refused.code, refused.field) == (Code.INVALID, "provider")
    assert (await fault(begun(other, without))).code is Code.NOT_FOUND
    unnamed = ProcessFinetune(caller.workspace_id, without.id)
    assert (await fault(caller.bus.call(finetunes.PROCESS, unnamed))).field == "baseModel"
    missing = CreateFinetune(caller.workspace_id, "x", ids.new())
    assert (await fault(caller.bus.call(finetunes.CREATE, missing))).code is Code.NOT_FOUND


async def test_a_fine_tune_is_renamed_and_listed(caller, endpoint):
    finetune = await made(caller, endpoint, "a")
    change = finetunes.UpdateFinetune(caller.workspace_id, finetune.id, name="New", finetuned="ft:mine")
    changed = await caller.bus.call(finetunes.UPDATE, change)
    assert (changed.name, changed.finetuned) == ("New", "ft:mine")
    page = await caller.bus.call(finetunes.PAGE, finetunes.PageFinetunes(caller.workspace_id))
    assert page.items == [changed]


async def test_a_dataset_is_exported_as_lines_of_chats(caller):
    found = await dataset(caller, "a", "ü\n")
    lines = (await caller.bus.call(datasets.EXPORT, GetDataset(caller.workspace_id, found.id))).splitlines()
    assert [json.loads(line)["messages"] for line in lines] == [
        [{"role": "user", "content": "q1"}, {"role": "assistant", "content": "ü\n"}],
        [{"role": "user", "content": "q0"}, {"role": "assistant", "content": "a"}],
    ]


async def test_neither_what_a_tool_had_a_part_in_nor_what_failed_is_exported(caller, upstream):
    format = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "object"}}}
    plain, typed = await caller.action(), await caller.action(parameters=Parameters(response_format=format))
    tool = await make(caller, "handbook", SearchContext())
    agent = await caller.action(tool_ids=[tool.id])
    texts = "right", "no JSON", "still none", "no JSON", "still none", "as it says"
    said = [Answer(pieces=(text,)) for text in texts]
    upstream.plays(*said[:-1], calling(Call("c1", "handbook", '{"query": "x"}')), said[-1])
    points = [await caller.run(plain, "q0"), *[await caller.run(typed, f"q{n}") for n in (1, 2)]]
    points.append(await caller.run(agent, "q3"))
    assert [point.output for point in points] == ["right", "still none", "still none", "as it says"]
    mended = runs.AmendRun(caller.workspace_id, points[2].id, output='{"city": "Paris"}')
    await caller.bus.call(runs.AMEND, mended)
    of = CreateDataset(caller.workspace_id, "Golden", run_ids=[point.id for point in points])
    found = await caller.bus.call(datasets.CREATE, of)
    lines = (await caller.bus.call(datasets.EXPORT, GetDataset(caller.workspace_id, found.id))).splitlines()
    assert [json.loads(line)["messages"][-1]["content"] for line in lines] == ['{"city": "Paris"}', "right"]
