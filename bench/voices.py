"""How soon the first token of a streamed answer is there, through each voice: the same engine, the same action.

Klu's clients ask for an address first and read the stream there; the others get it in the answer. The voices take
turns, so that whatever else the machine does falls on all of them.
"""

from collections.abc import Callable
from statistics import median

import msgspec

from bench import load, measure, rigs
from bench.machine import Tree

# Short answers at a reader's pace: what is measured is their beginning.
MODEL, STREAMS, ROUNDS = "bench-10-100", 60, 7

WORD = {"word": "something"}


def _klisk(rig: rigs.Rig) -> tuple[str, object]:
    return "/klisk/api/chat", {"message": "something", "agent_name": MODEL}


def _llmstack(rig: rigs.Rig) -> tuple[str, object]:
    return f"/llmstack/api/apps/{rig.actions[MODEL]}/run", {"input": WORD, "stream": True}


def _completions(rig: rigs.Rig) -> tuple[str, object]:
    messages = [{"role": "user", "content": "something"}]
    return "/openai/v1/chat/completions", {"model": MODEL, "messages": messages, "stream": True}


def _responses(rig: rigs.Rig) -> tuple[str, object]:
    return "/openai/v1/responses", {"model": MODEL, "input": "something", "stream": True}


# Klu's is the rig's own way of streaming.
ASKED: dict[str, Callable[[rigs.Rig], tuple[str, object]] | None] = {
    "klu": None,
    "klisk": _klisk,
    "llmstack": _llmstack,
    "openai completions": _completions,
    "openai responses": _responses,
}


async def first_tokens(rig: rigs.Rig, upstream: Tree, *, quick: bool) -> dict[str, measure.Figures]:
    """Medians over the rounds; the first round warms up. `foreign` is what others took of the machine meanwhile."""
    found: dict[str, list[measure.Stretch]] = {voice: [] for voice in ASKED}
    for round in range(1 + (3 if quick else ROUNDS)):
        for voice, ask in ASKED.items():
            asking = rig if ask is None else msgspec.structs.replace(rig, streamed=_request(rig, *ask(rig)))
            stretch = await measure.streaming(asking, MODEL, upstream, streams=STREAMS)
            if stretch.errors:
                raise SystemExit(f"{voice}: {stretch.errors} tokens did not come")
            if round:
                found[voice].append(stretch)
    return {voice: _figures(stretches) for voice, stretches in found.items()}


def _request(rig: rigs.Rig, path: str, body: object) -> bytes:
    return load.post(rig.url + path, msgspec.json.encode(body), rig.key)


def _figures(stretches: list[measure.Stretch]) -> measure.Figures:
    names = ("first_token_p50_ms", "first_token_p99_ms")
    figures = {name: median(each.figures[name] for each in stretches) for name in names}
    return figures | {"foreign": median(each.spent.foreign for each in stretches)}


def table(found: dict[str, measure.Figures]) -> None:
    print(f"\n{'first token through a voice':32}{'p50 ms':>10}{'over klu':>10}{'p99 ms':>10}{'foreign':>10}")
    for voice, figures in found.items():
        p50, p99, foreign = (figures[name] for name in ("first_token_p50_ms", "first_token_p99_ms", "foreign"))
        over = p50 - found["klu"]["first_token_p50_ms"]
        print(f"{voice:32}{p50:10.2f}{over:+10.2f}{p99:10.2f}{foreign:10.0%}")
