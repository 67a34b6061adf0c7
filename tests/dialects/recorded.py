"""Recorded pairs: what a voice's clients send, what the gateway then asks the other services, and what they get.

A pair of a voice's fixtures/ holds the `request`, what the services `answered` by subject, what they were `asked`, and
the `response`. A service that answered `{"fault": …}` refused. $WORKSPACE stands for the workspace of the key, $URL for
the gateway's address, $TODAY for the day it is. A `body` that is no text is sent as JSON.

What the gateway keeps itself is made by requests that go `before`: $1 is the id in the answer to the first of them.
What is new each time has its shape in the response: $TIME, $CNT for an id that begins so, $LIVE for a key, $ANY, …
"""

import json
import re
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.contracts import ids
from libs.contracts.faults import Failure, Fault
from libs.contracts.runs import StartRun
from libs.contracts.subjects import DECLARED, Rpc
from tests.services.gateway.peers import Door, Reply

_SHAPES = {
    "$ANY": r".*",
    "$TIME": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "$LIVE": r"kl_live_[0-9a-f]{64}",
    "$PREFIX": r"(kl_live|pv)_[\w-]{1,16}",
    "$JWT": r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+",
}


def pairs(fixtures: Path) -> list[Any]:
    """As parameters of a test."""
    return [
        pytest.param(pair, id=f"{file.stem}: {pair['name']}")
        for file in sorted(fixtures.glob("*.json"))
        for pair in json.loads(file.read_text())
    ]


async def replay(door: Door, pair: dict[str, Any], **more: str) -> None:
    """`more` stand for what else a pair calls by a name with a dollar."""
    names = {"WORKSPACE": str(door.workspace_id), "URL": door.url, "TODAY": f"{datetime.now(UTC):%A, %Y-%m-%d}"} | more
    for place, request in enumerate(pair.get("before", []), 1):
        names[str(place)] = (await _answered(door, request, names)).json["id"]
    await _serve(door, pair.get("answered", {}))
    answer = await _answered(door, pair["request"], names)
    meant = _shaped(_filled(pair["response"]["body"], names), answer.json)
    assert (answer.status, answer.json) == (pair["response"]["status"], meant)
    assert _told(door.peers.asked) == _told(_meant(_filled(pair.get("asked", []), names), door.peers.asked))


async def _answered(door: Door, request: dict[str, Any], names: dict[str, str]) -> Reply:
    filled, body = _filled(request, names), request.get("body")
    sent = body.encode() if isinstance(body, str) else filled.get("body")
    key = {"key": filled["key"]} if "key" in filled else {}
    return await door.call(filled["method"], filled["path"], sent, headers=filled.get("headers", {}), **key)


def _filled(value: Any, names: dict[str, str]) -> Any:
    text = json.dumps(value)
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(f"${name}", names[name])
    return json.loads(text)


def _shaped(meant: Any, told: Any) -> Any:
    """What is meant, with what was told in place of each shape that it has."""
    match meant, told:
        case dict(), dict():
            return {name: _shaped(value, told.get(name)) for name, value in meant.items()}
        case list(), list():
            return [_shaped(*each) for each in zip_longest(meant, told)][: len(meant)]
        case "$NUMBER", int():
            return told
        case str(), str() if meant.startswith("$"):
            shape = _SHAPES.get(meant) or rf"{meant[1:].lower()}_[0-9A-HJKMNP-TV-Z]{{26}}"
            return told if re.fullmatch(shape, told, re.DOTALL) else meant
    return meant


async def _serve(door: Door, answered: dict[str, Any]) -> None:
    for subject, answer in answered.items():
        rpc = DECLARED[subject]
        assert isinstance(rpc, Rpc)
        reply = (
            _fault(answer["fault"])
            if isinstance(answer, dict) and "fault" in answer
            else msgspec.convert(answer, rpc.reply)
        )
        await door.peers.answer(rpc, lambda _, reply=reply: reply)
    door.peers.asked.clear()


def _fault(failure: dict[str, Any]) -> Fault:
    return Fault.of(msgspec.convert(failure, Failure))


def _meant(questions: list[dict[str, Any]], asked: list[Any]) -> list[Any]:
    """The questions of a pair. What one leaves out has its default. Two nouns may call a question the same: what was
    asked is meant.
    """
    types = {rpc.request.__name__: rpc.request for rpc in DECLARED.values() if isinstance(rpc, Rpc)}
    types |= {type(question).__name__: type(question) for question in asked}
    return [msgspec.convert(fields, types[name]) for question in questions for name, fields in question.items()]


def _told(questions: list[Any]) -> list[dict[str, Any]]:
    """In one order. What is to be made has no id yet, which comes with an Idempotency-Key alone."""
    assert all(getattr(question, "id", None) is None for question in questions)
    named = [{type(question).__name__: msgspec.to_builtins(_unnamed(question))} for question in questions]
    return sorted(named, key=json.dumps)


def _unnamed(question: Any) -> Any:
    """A run to start is named by the gateway, which follows it under a name of its own."""
    return (
        msgspec.structs.replace(question, run_id=ids.NONE, follower="") if isinstance(question, StartRun) else question
    )
