"""Soundness: what an automation may be. What could never run is refused when it is made, by the field that is wrong.

The rule: fields are named as a client gives them: `steps[2].config.url`.
"""

import math
import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from libs.contracts import ids
from libs.contracts.automation_steps import (
    Condition,
    HttpRequest,
    Kind,
    Notify,
    RunAction,
    SendEmail,
    Step,
    UpdateContact,
    Wait,
)
from libs.contracts.automations import Automation, OnEvent, Schedule, Status, UpdateAutomation
from libs.contracts.faults import Code, Fault
from libs.contracts.public_events import NAMES, PATTERNS
from libs.egress import Egress
from services.runner.automations import filling, times
from services.runner.catalog import Catalog
from services.runner.prompting.rendering import Renderer
from services.runner.storable import named
from services.runner.tools.headers import check_headers

_MOST_STEPS = 50
_MOST_BYTES = 256 * 1024
_LONGEST_NAME = 200
_STEP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LONGEST_TIMEOUT = 120.0
_LONGEST_WAIT = 366 * 86_400.0
_MOST_RECIPIENTS = 20
_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")
_LONGEST_ADDRESS = 254


class Soundness:
    def __init__(self, catalog: Catalog, egress: Egress, renderer: Renderer) -> None:
        self._catalog, self._egress, self._renderer = catalog, egress, renderer

    async def check(self, made: Automation) -> None:
        """Raises Fault INVALID that names the field, TOO_LARGE."""
        _check_title(made.name)
        _check_trigger(made)
        await self._check_steps(made)

    async def check_change(self, made: Automation, asked: UpdateAutomation) -> None:
        """Of what is changed, and of all of it where it is to be active: one that could not run any more may still be
        renamed and paused. Raises Fault as `check` does.
        """
        activated = asked.status is Status.ACTIVE
        _check_title(made.name)
        _check_number(made)
        if activated or asked.trigger is not UNSET:
            _check_trigger(made)
        if activated or asked.steps is not UNSET:
            await self._check_steps(made)

    async def _check_steps(self, made: Automation) -> None:
        _check_number(made)
        earlier: set[str] = set()
        for place, step in enumerate(made.steps):
            where = f"steps[{place}]"
            _check_name(step.name, earlier, where)
            await self._check_kind(made, step.kind, f"{where}.config", room=len(made.steps) - place - 1)
            await filling.check(self._renderer, _filled(step), f"{where}.config", earlier)
            earlier.add(step.name)

    async def _check_kind(self, made: Automation, kind: Kind, where: str, *, room: int) -> None:
        match kind:
            case RunAction(action_id):
                await self._know_action(made, action_id, f"{where}.action_id")
            case HttpRequest():
                with under(where):
                    self._check_request(kind)
            case Wait():
                _check_wait(kind, where)
            case SendEmail():
                _check_mail(kind, where)
            case UpdateContact():
                _check_contact(kind, where)
            case Notify(title):
                _required(title, f"{where}.title")
            case Condition() if not 1 <= kind.skip <= max(room, 1):
                raise Fault(Code.INVALID, f"There are {room} steps after this one to skip.", field=f"{where}.skip")
            case _:
                return

    async def _know_action(self, made: Automation, action_id: UUID, field: str) -> None:
        try:
            await self._catalog.action(made.workspace_id, action_id)
        except Fault as fault:
            if fault.code is Code.UNAVAILABLE:
                raise
            raise Fault(Code.INVALID, fault.message, field=field) from None

    def _check_request(self, request: HttpRequest) -> None:
        """Which host is asked is said here, and by nothing that sets a run off: headers hold secrets."""
        origin = request.url.partition("//")[2].partition("/")[0].partition("?")[0].partition("#")[0]
        if filling.is_template(origin) or filling.is_template(request.url.partition("//")[0]):
            raise Fault(Code.INVALID, "Templates may stand in a URL's path and query alone.", field="url")
        self._egress.check(request.url.partition("{")[0])
        check_headers({name: "" if filling.is_template(value) else value for name, value in request.headers.items()})
        if not 0.1 <= request.timeout <= _LONGEST_TIMEOUT:
            raise Fault(Code.INVALID, f"Expected 0.1 to {_LONGEST_TIMEOUT:.0f} seconds.", field="timeout")


def _check_title(name: str) -> None:
    named(name)
    if len(name) > _LONGEST_NAME:
        raise Fault(Code.INVALID, f"Expected {_LONGEST_NAME} characters at most.", field="name")


def _check_trigger(made: Automation) -> None:
    match made.trigger:
        case Schedule() as schedule:
            times.next_of(schedule, made.timezone, datetime.now(UTC))
        case OnEvent(event) if event not in PATTERNS:
            message = f"{event[:100]!r} is no event. Events are {', '.join(sorted(NAMES))}, a prefix (x.*) or *."
            raise Fault(Code.INVALID, message, field="trigger_config.event")
        case _:
            return


def _check_number(made: Automation) -> None:
    if not made.steps and made.status is not Status.DRAFT:
        raise Fault(Code.INVALID, "An automation without steps can be no more than a draft.", field="steps")
    if len(made.steps) > _MOST_STEPS:
        raise Fault(Code.INVALID, f"An automation has {_MOST_STEPS} steps at most.", field="steps")
    if len(msgspec.json.encode(made.steps)) > _MOST_BYTES:
        raise Fault(Code.TOO_LARGE, f"The steps are over {_MOST_BYTES >> 10} KiB.", field="steps")


def _check_name(name: str, earlier: set[str], where: str) -> None:
    if not _STEP_NAME.fullmatch(name):
        message = "A step's name has 1 to 64 letters, digits and _, and begins with no digit."
        raise Fault(Code.INVALID, message, field=f"{where}.name")
    if name in earlier:
        raise Fault(Code.INVALID, f"There are two steps named {name!r}.", field=f"{where}.name")


def _check_wait(wait: Wait, where: str) -> None:
    if (wait.seconds is None) == (not wait.until):
        raise Fault(Code.INVALID, "Give either `seconds` or `until`.", field=f"{where}.seconds")
    if wait.seconds is not None and not (math.isfinite(wait.seconds) and 0 <= wait.seconds <= _LONGEST_WAIT):
        message = f"Expected 0 to {_LONGEST_WAIT:,.0f} seconds."
        raise Fault(Code.INVALID, message, field=f"{where}.seconds")
    if wait.until and not filling.is_template(wait.until):
        times.moment(wait.until, f"{where}.until")


def _check_mail(mail: SendEmail, where: str) -> None:
    if not 1 <= len(mail.to) <= _MOST_RECIPIENTS:
        raise Fault(Code.INVALID, f"Expected 1 to {_MOST_RECIPIENTS} addresses.", field=f"{where}.to")
    for place, address in enumerate(mail.to):
        if not filling.is_template(address):
            must_be_address(address, f"{where}.to[{place}]")
    _required(mail.subject, f"{where}.subject")


def must_be_address(text: str, field: str) -> None:
    """Raises Fault INVALID."""
    if len(text) > _LONGEST_ADDRESS or not _ADDRESS.fullmatch(text):
        raise Fault(Code.INVALID, "This is no e-mail address.", field=field)


def _check_contact(update: UpdateContact, where: str) -> None:
    if not update.fields:
        raise Fault(Code.INVALID, "Name at least one field.", field=f"{where}.fields")
    if bool(update.contact_id) == bool(update.email):
        raise Fault(Code.INVALID, "Name the contact by `contact_id` or by `email`.", field=f"{where}.contact_id")
    if update.contact_id and not filling.is_template(update.contact_id):
        must_be_id(update.contact_id, f"{where}.contact_id")
    if update.email and not filling.is_template(update.email):
        must_be_address(update.email, f"{where}.email")


def must_be_id(text: str, field: str) -> UUID:
    """Raises Fault INVALID."""
    if (id := ids.parse(text)) is None:
        raise Fault(Code.INVALID, "This is no id.", field=field)
    return id


def _required(text: str, field: str) -> None:
    if not text.strip():
        raise Fault(Code.INVALID, "This must not be empty.", field=field)


def _filled(step: Step) -> dict[str, Any]:
    """What of it is filled, as it was given; a header's value that is kept sealed is not."""
    return msgspec.to_builtins(step.kind, str_keys=True)


@contextmanager
def under(where: str) -> Generator[None]:
    """Fields are named as those of the step, where it is not named already."""
    try:
        yield
    except Fault as fault:
        if fault.field is None or fault.field.startswith(where):
            raise
        raise Fault(fault.code, fault.message, field=f"{where}.{fault.field}", retry_after=fault.retry_after) from None
