"""Automations as they are asked for, and as they are shown."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType, structs

from libs.contracts import automations, ids, public_events
from libs.contracts.automation_steps import (
    Condition,
    HttpRequest,
    Notify,
    RunAction,
    SendEmail,
    Step,
    UpdateContact,
    Wait,
)
from libs.contracts.automations import Automation, GetAutomation, Manual, OnEvent, Schedule, Status, Trigger
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Page, Slice
from services.gateway.dialects.klairo import wire
from services.gateway.dialects.klairo.wire.automations import GivenStep
from services.gateway.directory.callers import Caller
from services.gateway.http import misfits, params

_KINDS: dict[str, type[Any]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (RunAction, HttpRequest, Wait, SendEmail, UpdateContact, Notify, Condition)
}
_MANUAL, _SCHEDULE, _EVENT = "manual", "schedule", "event"
# `contact_created` for `contact.created`.
_SPELLED = {pattern.replace(".", "_"): pattern for pattern in public_events.NAMES}


def create(
    caller: Caller, given: wire.automations.CreateAutomation, *, timezone: str, at_most: int | None
) -> automations.CreateAutomation:
    """Without a status it is active, or a draft where it has no steps yet. Raises Fault INVALID."""
    return automations.CreateAutomation(
        caller.workspace_id,
        given.name,
        steps(given.steps),
        trigger=trigger(given.trigger or _MANUAL, given.trigger_config or {}),
        status=Status(given.status or ("active" if given.steps else "draft")),
        timezone=timezone,
        at_most=at_most,
        created_by=caller.account_id,
    )


def update(
    named: GetAutomation, given: wire.automations.UpdateAutomation, before: Trigger | None
) -> automations.UpdateAutomation:
    """`before` is the trigger that there is, where its config alone is given. Raises Fault INVALID."""
    return automations.UpdateAutomation(
        named.workspace_id,
        named.automation_id,
        name=given.name,
        status=UNSET if given.status is UNSET else Status(given.status),
        trigger=_changed(given, before),
        steps=UNSET if given.steps is UNSET else steps(given.steps),
    )


def _changed(given: wire.automations.UpdateAutomation, before: Trigger | None) -> Trigger | UnsetType:
    if given.trigger is not UNSET:
        return trigger(given.trigger, given.trigger_config or {})
    if given.trigger_config is UNSET or before is None:
        return UNSET
    return trigger(spelled(before), given.trigger_config or {})


def trigger(name: str, config: dict[str, Any]) -> Trigger:
    """Raises Fault INVALID."""
    match name:
        case "manual":
            return _read(config, Manual, "trigger_config")
        case "schedule":
            return _read(config, Schedule, "trigger_config")
        case "event":
            given = _read(config, OnEvent, "trigger_config", but=("spelled",))
            return OnEvent(event(given.event))
        case _:
            return _named(name, config)


def _named(name: str, config: dict[str, Any]) -> OnEvent:
    """An event's name in place of `event`, which its config may repeat."""
    if event(name) not in public_events.PATTERNS:
        message = f"{params.shown(name)!r} is no trigger: expected manual, schedule, event, or an event's name."
        raise Fault(Code.INVALID, message, field="trigger")
    given = _read({"event": name} | config, OnEvent, "trigger_config", but=("spelled",))
    if event(given.event) != event(name):
        raise Fault(Code.INVALID, "This is another event than the trigger's.", field="trigger_config.event")
    return OnEvent(event(name), spelled=name)


def event(name: str) -> str:
    """As the engine has it."""
    return _SPELLED.get(name, name)


def steps(given: list[GivenStep]) -> list[Step]:
    """Raises Fault INVALID that names the field: `steps[2].config.url`."""
    return [_step(step, f"steps[{place}]") for place, step in enumerate(given)]


def _step(given: GivenStep, where: str) -> Step:
    kind = _KINDS.get(given.type)
    if kind is None:
        message = f"{params.shown(given.type)!r} is no type of step: expected {', '.join(_KINDS)}."
        raise Fault(Code.INVALID, message, field=f"{where}.type")
    return Step(_read(_understood(given.config, kind, where), kind, f"{where}.config"), given.name or "")


def _understood(config: dict[str, Any], kind: type[Any], where: str) -> dict[str, Any]:
    """As the engine has it."""
    if kind is SendEmail:
        return _of_mail(config)
    return _of_condition(config) if kind is Condition else _with_ids(config, where)


def _with_ids(config: dict[str, Any], where: str) -> dict[str, Any]:
    """An action is named by its id in either spelling."""
    if not isinstance(text := config.get("action_id"), str):
        return config
    if (id := ids.parse(text)) is None:
        raise Fault(Code.INVALID, "This is no id.", field=f"{where}.config.action_id")
    return config | {"action_id": id}


def _of_mail(config: dict[str, Any]) -> dict[str, Any]:
    """One address may stand for a list of it, and `body` for `text`."""
    given = {"text" if name == "body" and "text" not in config else name: value for name, value in config.items()}
    return given | {"to": [given["to"]]} if isinstance(given.get("to"), str) else given


def _of_condition(config: dict[str, Any]) -> dict[str, Any]:
    """A number, or true or false, may stand for the text of it."""
    right = config.get("right")
    return config | {"right": msgspec.json.encode(right).decode()} if isinstance(right, int | float) else config


def _read(config: dict[str, Any], kind: type[Any], where: str, *, but: tuple[str, ...] = ()) -> Any:
    known = [name for name in kind.__struct_fields__ if name not in but]
    if unknown := [name for name in config if name not in known]:
        raise Fault(Code.INVALID, "There is no such field.", field=f"{where}.{params.shown(unknown[0])}")
    try:
        return msgspec.convert(config | {"type": kind.__struct_config__.tag}, kind)
    except msgspec.ValidationError as error:
        fault = misfits.fault(error, kind)
        raise Fault(fault.code, fault.message, field=f"{where}.{fault.field}" if fault.field else where) from None


def spelled(trigger: Trigger) -> str:
    match trigger:
        case Manual():
            return _MANUAL
        case Schedule():
            return _SCHEDULE
        case OnEvent():
            return trigger.spelled or _EVENT


def page(caller: Caller, slice: Slice, *, status: str | None, trigger: str | None) -> automations.PageAutomations:
    """Raises Fault INVALID for a status that is none."""
    return automations.PageAutomations(
        caller.workspace_id,
        one_of(Status, status, "status"),
        trigger and event(trigger),
        slice,
    )


def one_of(kind: Any, text: str | None, field: str) -> Any:
    """Of an enumeration; None where nothing is named. Raises Fault INVALID."""
    if not text:
        return None
    try:
        return kind(text)
    except ValueError:
        message = f"Expected {misfits.one_of(list(kind))}, got {params.shown(text)!r}."
        raise Fault(Code.INVALID, message, field=field) from None


def listed(made: Automation) -> wire.automations.Automation:
    return wire.automations.Automation(
        id=ids.crockford("auto", made.id),
        name=made.name,
        status=made.status,
        trigger=spelled(made.trigger),
        trigger_config=_config(made.trigger),
        steps=len(made.steps),
        last_run=made.last_run_at,
        next_run=made.next_at,
        created_at=made.created_at,
        updated_at=made.updated_at,
    )


def whole(made: Automation) -> wire.automations.Automation:
    return structs.replace(listed(made), step_definitions=[_definition(step) for step in made.steps])


def _config(trigger: Trigger) -> dict[str, Any]:
    shown = msgspec.to_builtins(trigger)
    return {name: value for name, value in shown.items() if name not in ("type", "spelled") and value != ""}


def _definition(step: Step) -> wire.automations.StepDefinition:
    config = msgspec.to_builtins(step.kind)
    return wire.automations.StepDefinition(name=step.name, type=config.pop("type"), config=config)


def all_of(page: Page[Automation], slice: Slice) -> wire.automations.Automations:
    shown = [listed(made) for made in page.items]
    return wire.automations.Automations(data=shown, total=page.total, limit=slice.limit, offset=slice.offset)
