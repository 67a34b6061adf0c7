"""How a model weighed the tokens of an answer: in OpenAI's shape, and found again for an answer that is told whole.

The rule: they are kept with the run's frames alone, and asked for only where a client wants them.
"""

from collections.abc import AsyncIterator

from aiohttp import web

from libs.contracts import feed, runs
from libs.contracts.feed import Scored
from services.gateway.completions import wire
from services.gateway.engine import ENGINE


def told(scored: list[Scored] | None) -> wire.Logprobs | None:
    """None where the provider told none."""
    return wire.Logprobs(tokens(scored)) if scored else None


def tokens(scored: list[Scored]) -> list[wire.TokenLogprob]:
    return [_token(token) for token in scored]


def _token(token: Scored) -> wire.TokenLogprob:
    top = [wire.Alternative(each.token, each.logprob, _bytes(each.utf8)) for each in token.likeliest]
    return wire.TokenLogprob(token.chosen.token, token.chosen.logprob, _bytes(token.chosen.utf8), top)


def _bytes(utf8: bytes | None) -> list[int] | None:
    return None if utf8 is None else list(utf8)


async def of(request: web.Request, run: runs.Run) -> list[Scored]:
    """Those of the whole answer of a run that has ended."""
    return await gathered(request.app[ENGINE].runs.follow(feed.Cursor(run.workspace_id, run.id)))


async def gathered(frames: AsyncIterator[feed.Frame]) -> list[Scored]:
    """What is void of an answer has none."""
    found: list[Scored] = []
    async for frame in frames:
        match frame.body:
            case feed.Token(_, None, list() as scored):
                found += scored
            case feed.Replaced() | feed.Restarted():
                found.clear()
            case _:
                pass
    return found
