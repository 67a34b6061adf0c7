"""Briefing: what a workspace has, told in the prompt of a model that calls no tools.

The rule: it is bounded, and what can't be read at the moment is said to be so.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import date
from uuid import UUID

import msgspec

from libs.bus.bus import Bus
from libs.contracts import automation_runs, automations, contacts, ids
from libs.contracts.contacts import Contact, Found, SearchContacts
from libs.contracts.faults import Fault
from libs.contracts.paging import Slice
from libs.contracts.runs import Message
from services.runner.runs import memory
from services.runner.tools.builtin import automations as looked_up
from services.runner.tools.builtin import told

log = logging.getLogger(__name__)

_SECONDS = 8.0
# Characters of a line, and of the lines of each kind.
_LINE = 300
_CONTACTS, _AUTOMATIONS, _RUNS = 4500, 2500, 1500
_MENTIONED, _NEWEST, _LISTED, _LATEST = 10, 25, 25, 15
_METADATA = 200
_OPENING = "What this workspace has. Answer from it where it says what is asked for."
_AWAY = "They can't be read at the moment."


async def brief(bus: Bus, workspace_id: UUID, question: str, messages: list[Message], *, room: int) -> list[Message]:
    """The messages with a digest in the system message, which takes a third of what they leave of the room at most."""
    share = max(await memory.left(room, [memory.words(message) for message in messages]), 0) // 3
    parts = await asyncio.gather(
        _contacts(bus, workspace_id, question), _automations(bus, workspace_id), _latest(bus, workspace_id)
    )
    digest = await memory.shortened("\n\n".join([_OPENING, *parts]), share) if share else ""
    return _with(messages, digest) if digest else messages


def _with(messages: list[Message], digest: str) -> list[Message]:
    if messages and messages[0].role == "system":
        first = msgspec.structs.replace(messages[0], content=f"{messages[0].content}\n\n{digest}")
        return [first, *messages[1:]]
    return [Message("system", digest), *messages]


async def _contacts(bus: Bus, workspace_id: UUID, question: str) -> str:
    """Those whom the question mentions, then the newest."""
    named = SearchContacts(workspace_id, question, mentioned=True, slice=Slice(0, _MENTIONED))
    newest = SearchContacts(workspace_id, slice=Slice(0, _NEWEST))
    try:
        found, all = await asyncio.gather(_search(bus, named), _search(bus, newest))
        today = await _search(bus, SearchContacts(workspace_id, since=all.today, slice=Slice(0, 0)))
    except Fault as fault:
        return _unread("Contacts", fault)
    head = f"Contacts: {all.total} in all, {today.total} of them made today, {all.today} ({all.timezone})."
    known = {contact.id: contact for contact in [*found.items, *all.items]}
    return _lines(head, (_contact(contact, all.today) for contact in known.values()), _CONTACTS)


async def _search(bus: Bus, asked: SearchContacts) -> Found:
    return await bus.call(contacts.SEARCH, asked, timeout=_SECONDS)


def _contact(contact: Contact, today: date) -> str:
    who = " ".join(filter(None, [contact.name, contact.email and f"<{contact.email}>"])) or contact.company
    facts = [f"company {contact.company}"] if contact.company else []
    facts += [f"tags {', '.join(contact.tags)}"] if contact.tags else []
    facts += [f"{name} {value}" for name, value in told.within(contact.metadata, _METADATA).items()]
    return f"{who} ({ids.crockford('cnt', contact.id)}, made {told.moment(contact.created_at)}): {'; '.join(facts)}"


async def _automations(bus: Bus, workspace_id: UUID) -> str:
    asked = automations.PageAutomations(workspace_id, slice=Slice(0, _LISTED))
    try:
        page = await bus.call(automations.PAGE, asked, timeout=_SECONDS)
    except Fault as fault:
        return _unread("Automations", fault)
    return _lines(f"Automations: {page.total} in all.", map(_automation, page.items), _AUTOMATIONS)


def _automation(automation: automations.Automation) -> str:
    last = told.moment(automation.last_run_at) or "never"
    trigger = looked_up.trigger(automation.trigger)
    id = ids.crockford("auto", automation.id)
    return f"{automation.name} ({id}): {automation.status}, set off by {trigger}, last run {last}"


async def _latest(bus: Bus, workspace_id: UUID) -> str:
    try:
        page = await bus.call(
            automation_runs.PAGE, automation_runs.PageRuns(workspace_id, slice=Slice(0, _LATEST)), timeout=_SECONDS
        )
    except Fault as fault:
        return _unread("Runs of automations", fault)
    return _lines(f"Runs of automations: {page.total} in all.", map(_run, page.items), _RUNS)


def _run(run: automation_runs.Run) -> str:
    error = f": {run.failure.message}" if run.failure else ""
    return f"{run.automation_name} {run.status}, begun {told.moment(run.created_at)}{error}"


def _lines(head: str, lines: Iterable[str], room: int) -> str:
    """As many of the lines as there is room for, each on one."""
    said = [head]
    for line in lines:
        line = "- " + " ".join(line.split())[:_LINE]
        room -= len(line)
        if room < 0:
            break
        said.append(line)
    return "\n".join(said)


def _unread(what: str, fault: Fault) -> str:
    log.warning("A briefing is not whole", extra={"part": what, "code": fault.code, "error": fault.message})
    return f"{what}: {_AWAY}"
