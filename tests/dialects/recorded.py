"""Recorded pairs: what a voice's clients send, what the gateway then asks the other services, and what they get.

A pair of a voice's fixtures/ holds the `request`, what the services `answered` by subject, what they were `asked`, and
the `response`. A service that answered `{"fault": …}` refused. $WORKSPACE stands for the workspace of the key, $URL for
the gateway's address, $TODAY for the day it is, $ANY for any text that an answer holds. A `body` that is no text is
sent as JSON.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from libs.contracts import ids
from libs.contracts.faults import Failure, Fault
from libs.contracts.runs import StartRun
from libs.contracts.subjects import DECLARED, Rpc
from tests.services.gateway.peers import Door


def pairs(fixtures: Path) -> list[Any]:
    """As parameters of a test."""
    return [
        pytest.param(pair, id=f"{file.stem}: {pair['name']}")
        for file in sorted(fixtures.glob("*.json"))
        for pair in json.loads(file.read_text())
    ]


async def replay(door: Door, pair: dict[str, Any]) -> None:
    await _serve(door, pair.get("answered", {}))
    request, body = _filled(pair["request"], door), pair["request"].get("body")
    sent = body.encode() if isinstance(body, str) else request.get("body")
    answer = await door.call(request["method"], request["path"], sent, headers=request.get("headers", {}))
    meant = _filled(pair["response"]["body"], door)
    assert (answer.status, _masked(answer.json, meant)) == (pair["response"]["status"], meant)
    assert _told(door.peers.asked) == _told(_meant(_filled(pair["asked"], door), door.peers.asked))


def _filled(value: Any, door: Door) -> Any:
    text = json.dumps(value).replace("$WORKSPACE", str(door.workspace_id)).replace("$URL", door.url)
    text = text.replace("$TODAY", f"{datetime.now(UTC):%A, %Y-%m-%d}")
    return json.loads(text)


def _masked(told: Any, meant: Any) -> Any:
    """With $ANY for a text where that is meant."""
    if meant == "$ANY" and isinstance(told, str):
        return meant
    if isinstance(told, dict) and isinstance(meant, dict):
        return {key: _masked(value, meant.get(key)) for key, value in told.items()}
    return told


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
