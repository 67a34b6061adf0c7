"""The three shapes in which services speak, and the registry that keeps a subject from being declared twice.

`Rpc` is a question that its owner answers, `Event` a fact in the past tense that its owner states, `Feed` what its
owner says to whoever listens now, above all the numbered frames of one run. A subject reads
`rpc|event|feed.<owner>.<noun>.<verb>`. The wire format is MessagePack.

A request that makes something may bring the `id` of what is to be: the same id again makes nothing more, and is
answered with what was made.
"""

import re
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Fact = TypeVar("Fact")
Item = TypeVar("Item")

SERVICES = frozenset({"gateway", "runner", "retrieval", "feedback", "webhook_dispatcher"})
DECLARED: dict[str, "Subject"] = {}

# Who may ask whom; whatever would run the other way is an event. A service may ask other instances of itself.
# What one may ask beyond that, question by question, is in MAY_ASK.
MAY_CALL = {
    "gateway": SERVICES,
    "runner": frozenset({"runner", "retrieval"}),
    "retrieval": frozenset({"retrieval"}),
    "feedback": frozenset({"feedback", "runner"}),
    "webhook_dispatcher": frozenset({"webhook_dispatcher", "runner"}),
}

# Contacts are kept by the gateway alone, so that they are erased in one place; a model that answers for a workspace may
# look them up.
MAY_ASK = {"runner": frozenset({"rpc.gateway.contacts.search", "rpc.gateway.contacts.get"})}

_READING = frozenset({"get", "page", "of", "latest", "frames", "revisions", "query", "search"})
_MAKING = frozenset({"create", "create_provider", "add_text", "add_files", "test", "trigger"})
_GRAMMAR = re.compile(r"(rpc|event|feed)\.([a-z_]+)\.([a-z_]+)(\.[a-z_]+)?")
_encoder = msgspec.msgpack.Encoder()


class Stated(msgspec.Struct, frozen=True, array_like=True):
    """A fact as it travels: `id` names the event for ever, `body` is the packed fact. A message is a list of them."""

    id: UUID
    at: datetime
    body: msgspec.Raw


class Subject:
    """A declared subject. Raises ValueError where the name breaks the grammar or is already taken."""

    def __init__(self, kind: str, name: str) -> None:
        match = _GRAMMAR.fullmatch(name)
        if match is None or match[1] != kind or match[2] not in SERVICES or bool(match[4]) == (kind == "feed"):
            raise ValueError(f"{name!r} is no {kind} subject: {kind}.<service>.<noun>" + (".<verb>" * (kind != "feed")))
        if name in DECLARED:
            raise ValueError(f"{name!r} is declared twice")
        self.name = name
        self.owner = match[2]
        DECLARED[name] = self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


def may_call(caller: str, rpc: "Rpc[Any, Any]") -> bool:
    return rpc.owner in MAY_CALL[caller] or rpc.name in MAY_ASK.get(caller, ())


class Rpc(Subject, Generic[Request, Reply]):
    def __init__(self, name: str, request: type[Request], reply: type[Reply]) -> None:
        super().__init__("rpc", name)
        self.request, self.reply = request, reply
        self._requests = msgspec.msgpack.Decoder(request)
        self._replies = msgspec.msgpack.Decoder(reply)

    def may_repeat(self, request: Request) -> bool:
        """Whether asking twice does no more than asking once: it only reads, or names what it makes."""
        verb = self.name.rpartition(".")[2]
        return verb in _READING or (verb in _MAKING and getattr(request, "id", None) is not None)

    def pack(self, request: Request) -> bytes:
        return _encoder.encode(request)

    def unpack(self, body: bytes) -> Request:
        return self._requests.decode(body)

    def pack_reply(self, reply: Reply) -> bytes:
        return _encoder.encode(reply)

    def unpack_reply(self, body: bytes) -> Reply:
        return self._replies.decode(body)


class Event(Subject, Generic[Fact]):
    def __init__(self, name: str, fact: type[Fact]) -> None:
        super().__init__("event", name)
        self.fact = fact
        self._facts = msgspec.msgpack.Decoder(fact)

    def pack(self, fact: Fact) -> bytes:
        return _encoder.encode(fact)

    def unpack(self, body: bytes | msgspec.Raw) -> Fact:
        return self._facts.decode(body)


class Feed(Subject, Generic[Item]):
    """Items published under `<name>.<id>`, one message an item, in order and kept by nobody but their publisher."""

    def __init__(self, name: str, item: type[Item]) -> None:
        super().__init__("feed", name)
        self.item = item
        self._items = msgspec.msgpack.Decoder(item)

    def of(self, id: object) -> str:
        return f"{self.name}.{id}"

    def pack(self, item: Item) -> bytes:
        return _encoder.encode(item)

    def unpack(self, body: bytes) -> Item:
        return self._items.decode(body)
