"""What a step does, by its kind. Its texts are filled just before.

The rule: done twice, because a process died in between, a step starts nothing more. An action runs under an id that
was written down before; a request carries the same Idempotency-Key; all else is facts stated with the step's end.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from libs.bus.bus import Bus
from libs.contracts import errands, ids, runs
from libs.contracts.automation_steps import Condition, HttpRequest, Notify, RunAction, SendEmail, UpdateContact, Wait
from libs.contracts.errands import ContactUpdateAsked, MailAsked, NoticeAsked
from libs.contracts.faults import Code, Fault
from libs.contracts.runs import Mode, Run, StartRun, Status
from libs.contracts.subjects import Event
from libs.postgres.database import Database
from services.runner.automations import conditions, times
from services.runner.automations.filling import Filling
from services.runner.automations.parsing import parsed
from services.runner.automations.requests import Requests
from services.runner.automations.soundness import must_be_address, must_be_id
from services.runner.store import automation_steps
from services.runner.store import runs as stored_runs
from services.runner.store.automation_steps import Claimed

VOICE = runs.OF_AUTOMATIONS
NOTICE = "automation"

_START_SECONDS = 30.0
# A fact of an event holds no more.
_MOST_BYTES = 48 * 1024
_LONGEST_ANSWER = 256 * 1024
# Of more no mail program shows anything, and folding it takes long.
_LONGEST_SUBJECT = 300


class Hopeless(Fault):
    """What no other try puts right."""


class Fact(Struct, frozen=True):
    event: Event[Any]
    fact: Any


class Came(Struct, frozen=True):
    """The step is done: what it came to, and the facts that are stated with its end.

    `skip`: so many of the next steps are left out, None for all of them.
    """

    output: dict[str, Any] = {}
    facts: list[Fact] = []
    skip: int | None = 0


class Waits(Struct, frozen=True):
    """Until a moment, or until the run of its action has ended."""

    until: datetime | None = None


Outcome = Came | Waits


class Steps:
    def __init__(self, database: Database, bus: Bus, requests: Requests) -> None:
        self._database, self._bus, self._requests = database, bus, requests

    async def take(self, step: Claimed, holder: str, filling: Filling) -> Outcome:
        """Raises Fault where it can't be done now, or not at all: `working` tells the one from the other."""
        where = f"steps[{step.position}].config"
        match step.kind:
            case RunAction() as kind:
                return await self._answer(step) or await self._start(step, holder, await _inputs(kind, filling, where))
            case HttpRequest() as kind:
                return Came(await self._requests.send(step, kind, filling, where))
            case Wait() as kind:
                return _waited(await _until(kind, step, filling, where))
            case SendEmail() as kind:
                return await _mail(kind, step, filling, where)
            case UpdateContact() as kind:
                return await _contact(kind, step, filling, where)
            case Notify() as kind:
                return await _notice(kind, step, filling, where)
            case Condition() as kind:
                return await _condition(kind, filling, where)

    async def _answer(self, step: Claimed) -> Came | None:
        """What the run of the step's action came to; None where there is none yet."""
        if step.action_run_id is None:
            return None
        kept = (await stored_runs.get(self._database, [step.action_run_id])).get(step.action_run_id)
        if kept is None and step.waited:
            raise Fault(Code.NOT_FOUND, "The answer was erased.")
        return _answered(kept.run) if kept is not None and kept.run.status in runs.ENDED else None

    async def _start(self, step: Claimed, holder: str, inputs: str | dict[str, Any]) -> Waits:
        """Under the id that it had, where it was started before."""
        run_id = await automation_steps.name_run(self._database, step, holder, step.action_run_id or ids.new())
        if run_id is not None:
            await self._bus.call(runs.ENQUEUE, _started(step, run_id, inputs), timeout=_START_SECONDS)
        return Waits()


async def _inputs(kind: RunAction, filling: Filling, where: str) -> str | dict[str, Any]:
    if isinstance(kind.inputs, str):
        return await filling.text(kind.inputs, f"{where}.inputs")
    return await filling.value(kind.inputs, f"{where}.inputs")


def _started(step: Claimed, run_id: Any, inputs: str | dict[str, Any]) -> StartRun:
    assert isinstance(step.kind, RunAction)
    metadata = {
        "source": "AUTOMATION",
        "automation": str(step.automation_id),
        "automation_run": str(step.run_id),
        runs.CHAIN: [str(id) for id in step.chain],
    }
    return StartRun(
        step.workspace_id, run_id, step.kind.action_id, inputs, VOICE, mode=Mode.ASYNC, metadata=metadata, durable=True
    )


def _answered(run: Run) -> Came:
    """Raises Fault for a run that came to nothing."""
    if run.status is not Status.SUCCEEDED:
        said = run.failure.message if run.failure else "The run was cancelled."
        raise Hopeless(Code.UPSTREAM, f"The action failed: {said}")
    if len(run.output) > _LONGEST_ANSWER:
        raise Fault(Code.TOO_LARGE, f"The answer is over {_LONGEST_ANSWER >> 10} KiB.")
    output: dict[str, Any] = {"answer": run.output, "run_id": str(run.id)}
    # A number or a word is its own text.
    if run.output.lstrip().startswith(("{", "[")) and (found := parsed(run.output)) is not None:
        output["parsed"] = found
    return Came(output)


async def _until(kind: Wait, step: Claimed, filling: Filling, where: str) -> datetime:
    if kind.seconds is not None:
        return step.started_at + timedelta(seconds=kind.seconds)
    return times.moment(await filling.text(kind.until, f"{where}.until"), f"{where}.until")


def _waited(until: datetime) -> Outcome:
    if until > datetime.now(UTC):
        return Waits(until)
    return Came({"until": until.isoformat()})


async def _mail(kind: SendEmail, step: Claimed, filling: Filling, where: str) -> Came:
    to = [await filling.text(address, f"{where}.to[{place}]") for place, address in enumerate(kind.to)]
    for place, address in enumerate(to):
        must_be_address(address, f"{where}.to[{place}]")
    subject = " ".join((await filling.text(kind.subject, f"{where}.subject")).split())[:_LONGEST_SUBJECT]
    text = await filling.text(kind.text, f"{where}.text")
    fact = MailAsked(step.workspace_id, step.automation_id, step.run_id, to, subject, text)
    return Came({"to": to, "subject": subject}, [_stated(errands.MAIL_ASKED, fact, where)])


async def _contact(kind: UpdateContact, step: Claimed, filling: Filling, where: str) -> Came:
    named = await filling.text(kind.contact_id, f"{where}.contact_id")
    email = await filling.text(kind.email, f"{where}.email")
    contact_id = must_be_id(named, f"{where}.contact_id") if named else None
    if contact_id is None:
        must_be_address(email, f"{where}.email")
    fields = await filling.value(kind.fields, f"{where}.fields")
    fact = ContactUpdateAsked(
        step.workspace_id, step.automation_id, step.run_id, fields, contact_id, email, chain=step.chain
    )
    return Came({"fields": fields}, [_stated(errands.CONTACT_UPDATE_ASKED, fact, where)])


async def _notice(kind: Notify, step: Claimed, filling: Filling, where: str) -> Came:
    title = (await filling.text(kind.title, f"{where}.title"))[: errands.LONGEST_TITLE]
    body = (await filling.text(kind.body, f"{where}.body"))[: errands.LONGEST_BODY]
    told = await filling.value(kind.metadata, f"{where}.metadata")
    about = {"automation_id": str(step.automation_id), "run_id": str(step.run_id)}
    fact = NoticeAsked(step.workspace_id, step.automation_id, step.run_id, NOTICE, title, body, told | about)
    return Came({"title": title, "body": body}, [_stated(errands.NOTICE_ASKED, fact, where)])


async def _condition(kind: Condition, filling: Filling, where: str) -> Came:
    left = await filling.optional(kind.left, f"{where}.left")
    right = await filling.text(kind.right, f"{where}.right")
    met = conditions.met(left, kind.op, right, where)
    if met:
        return Came({"met": True})
    return Came({"met": False}, skip=kind.skip if kind.otherwise == "skip" else None)


def _stated(event: Event[Any], fact: Any, where: str) -> Fact:
    """Raises Fault TOO_LARGE for what no event holds."""
    if len(event.pack(fact)) > _MOST_BYTES:
        raise Fault(Code.TOO_LARGE, f"What is to be sent is over {_MOST_BYTES >> 10} KiB.", field=where)
    return Fact(event, fact)
