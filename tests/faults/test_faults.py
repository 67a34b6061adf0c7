"""A short set of what `make faults` does at length."""

import random
from collections import Counter
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from tests.faults import chaos, checks, load, script
from tests.faults.cluster import Cluster, cluster
from tests.faults.ledger import Entry, Kind, Ledger
from tests.faults.trial import TARGETS, Options, Scenario, trial
from tests.support.provider import provider
from tests.support.receiver import Receiver, receiver

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHORT = {"operations": 18, "blows": 3, "seconds": 2.0, "scenario": Scenario.BLOWS}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def struck() -> AsyncGenerator[tuple[Cluster, Receiver]]:
    async with provider() as upstream, receiver() as hooks:
        upstream.script = script.answer
        async with cluster(upstream.openai_url) as running:
            yield running, hooks


@pytest.mark.parametrize(
    ("seed", "targets"),
    [
        (1, ("gateway-1", "runner-1", "feedback-1", "webhook_dispatcher-1")),
        (2, ("nats", "postgres")),
        (3, ("net:nats", "net:postgres")),
    ],
)
async def test_nothing_accepted_is_lost_or_counted_twice(
    struck: tuple[Cluster, Receiver], seed: int, targets: tuple[str, ...]
) -> None:
    verdict = await trial(seed, *struck, Options(targets=targets, **SHORT))
    assert not verdict.wrong, f"seed {seed}, {verdict.blows}, logs in {verdict.kept}"


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "scenario"), [(5, Scenario.ROLLING), (6, Scenario.WIPE)])
async def test_nobody_notices(struck: tuple[Cluster, Receiver], seed: int, scenario: Scenario) -> None:
    verdict = await trial(seed, *struck, Options(scenario=scenario))
    assert not verdict.wrong, f"seed {seed}, {verdict.blows}, logs in {verdict.kept}"


async def test_a_seed_plans_the_same_blows_every_time() -> None:
    first, again, other = (chaos.plan(random.Random(seed), list(TARGETS), count=5, seconds=9) for seed in (7, 7, 8))
    assert first == again
    assert first != other


AUTOMATION = "01a21403-44f7-7331-8b4f-9b17d8103697"


def _truth(**more: object) -> checks.Truth:
    """One streamed run, its event, its counting and its delivery, all as they should be."""
    said = script.of("w1x0")
    run = checks.Run("run", "w1x0", "succeeded", said.text)
    none = Counter[str]()
    facts = {"runs": [run], "told": Counter(["run"]), "counted": 1, "counted_tokens": len(said.pieces), "due": 1}
    nothing = {"documents": {}, "texts": none, "feedback": none, "values": none, "automation_runs": []}
    more = nothing | {"queued": 0, "put_aside": []} | more
    return checks.Truth(**(facts | more))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"runs": []}, "was accepted as run, and is lost"),
        ({"runs": [checks.Run("run", "w1x0", "running", "")]}, "is still running"),
        ({"runs": [checks.Run("run", "w1x0", "succeeded", "Else")]}, "is kept as 'Else'"),
        ({"runs": [checks.Run("run", "w1x0", "cancelled", "w1x0:0 ")]}, "is kept as 'w1x0:0 '"),
        ({"told": Counter()}, "has 0 finished events"),
        ({"told": Counter(["run", "run"])}, "has 2 finished events"),
        ({"counted": 2}, "usage counts 2 runs, and 1 ended"),
        ({"due": 2}, "2 deliveries are kept"),
        ({"documents": {"document": "indexed"}}, "document.indexed of document never arrived"),
        ({"automation_runs": [checks.AutomationRun(AUTOMATION, "w1x1", "running")]}, "of w1x1 is still running"),
        (
            {"automation_runs": [checks.AutomationRun(AUTOMATION, "w1x1", "completed")]},
            "w1x1 completed, and told set()",
        ),
        ({"automation_runs": [checks.AutomationRun(AUTOMATION, "w1x1", "failed")]}, "automation.run.failed of run_"),
        ({"put_aside": ["feedback.dead_letters has one"]}, "feedback.dead_letters"),
    ],
)
async def test_the_checks_notice_what_is_lost_or_doubled(changed: dict[str, object], told: str) -> None:
    entry = Entry(Kind.STREAMING, "w1x0", "key", guid="run", text=script.of("w1x0").text, finished=True)
    assert any(told in sentence for sentence in checks.wrong(_truth(**changed), Ledger([entry]), [], []))


async def test_a_stream_that_was_read_otherwise_than_it_is_kept_is_noticed() -> None:
    entry = Entry(Kind.STREAMING, "w1x0", "key", guid="run", text="Else", finished=True)
    assert any("was read as 'Else'" in sentence for sentence in checks.wrong(_truth(), Ledger([entry]), [], []))


async def test_a_rolling_restart_may_fail_no_run_and_refuse_nothing_but_what_one_process_does() -> None:
    entry = Entry(Kind.STREAMING, "w1x0", "key", guid="run", failed=True)
    refusals = Counter({(409, "/v1/actions/"): 3, (503, "/v1/context/1/documents"): 2, (503, "/v1/feedback"): 1})
    failed, refused = checks.unbroken(_truth(), Ledger([entry], refusals=refusals))
    assert "w1x0 (run) failed" in failed
    assert refused == "/v1/feedback answered 503, 1 times"


async def test_every_kind_of_call_is_part_of_the_load() -> None:
    planned = load.entries(random.Random(1), 1, 18)
    assert {entry.kind for entry in planned} == set(Kind)
