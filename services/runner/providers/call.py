"""A call of a model, and the pieces its answer comes in: what every protocol module is written against."""

from typing import Protocol

from msgspec import Struct

from libs.contracts import feed, runs
from libs.contracts.actions import Parameters
from libs.contracts.faults import Fault
from libs.contracts.tools import Offered

# What the installation's own model has in the place of a provider's name.
INSTALLED = "default"


class Endpoint(Struct, frozen=True):
    """Where a model is served. `guarded`: the address was named by a workspace, so it must be a public one."""

    kind: str
    provider: str
    url: str
    key: str
    llm: str
    guarded: bool = True

    @property
    def speaker(self) -> str:
        """Who it is in a sentence."""
        return "The installation's model" if self.provider == INSTALLED and not self.guarded else self.provider


class ModelCall(Struct, frozen=True):
    """`choice` is auto, none, required, or the name of the tool that must be called."""

    endpoint: Endpoint
    messages: list[runs.Message]
    parameters: Parameters = Parameters()
    tools: list[Offered] = []
    choice: str = "auto"


class Request(Struct, frozen=True):
    url: str
    headers: dict[str, str]
    body: bytes


class Finished(Struct, frozen=True):
    """The last piece. `reason` is one of stop, length, tool_calls, content_filter, or the provider's own word."""

    reason: str
    usage: runs.Usage | None = None


Piece = feed.Token | feed.Thinking | runs.ToolCall | Finished


class Reader(Protocol):
    """Reads one answer. Raises Interrupted where the provider reports an error in the midst of it, or stops short."""

    def read(self, payloads: list[bytes]) -> list[Piece]: ...

    def finish(self) -> list[Piece]: ...


class Dialect(Protocol):
    """A module that speaks one protocol."""

    def request(self, call: ModelCall) -> Request: ...

    def reader(self, call: ModelCall) -> Reader: ...


class Interrupted(Exception):
    """An attempt at a call failed. `again` says whether another one may help; `wait` is what the provider asked for."""

    def __init__(self, fault: Fault, *, again: bool, wait: float | None = None) -> None:
        super().__init__(fault.message)
        self.fault, self.again, self.wait = fault, again, wait
