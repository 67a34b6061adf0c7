"""A run's frames as the lines of LLMStack's stream: deltas that a client stitches together by their keys.

What was said can't be unsaid by a delta: where an answer begins again, or is replaced by another, its stream ends with
an error that says so.
"""

from libs.contracts import feed
from libs.contracts.faults import Code, Failure, Fault
from services.gateway.dialects.llmstack import wire
from services.gateway.http import problems
from services.gateway.http.ndjson import Line

KEY = "output"
_BEGUN_AGAIN = Failure(
    Code.CONFLICT,
    "The answer that was begun is void: ask for it whole, with `Last-Event-ID: <the run's id>-0` and `stream` false.",
)


class Deltas:
    """For one reader. `said` is None where it has read something before that is not known here."""

    def __init__(self, *, resumed: bool = False) -> None:
        self._said: list[str] | None = None if resumed else []

    def of(self, frame: feed.Frame) -> list[Line]:
        match frame.body:
            case feed.Token(text, node):
                return [self._delta(text, node)]
            case feed.Replaced(text):
                return self._replaced(text)
            case feed.Restarted() if self._said != []:
                return [failure(_BEGUN_AGAIN)]
            case feed.Failed(reason):
                return [failure(reason)]
            case feed.Cancelled():
                return [failure(Failure(Code.CONFLICT, "The generation was cancelled."))]
            case _:
                return []

    def _delta(self, text: str, node: str | None = None) -> Line:
        if self._said is not None:
            self._said.append(text)
        return Line({node or KEY: text})

    def _replaced(self, text: str) -> list[Line]:
        said = None if self._said is None else "".join(self._said)
        if said is None or not text.startswith(said):
            return [failure(_BEGUN_AGAIN)]
        return [self._delta(text[len(said) :])] if len(text) > len(said) else []


def failure(reason: Failure) -> Line:
    return Line(wire.Errors([problems.of(Fault.of(reason)).message]))
