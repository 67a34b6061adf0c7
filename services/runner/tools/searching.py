"""The tool that searches contexts: what it finds is told the model numbered, and becomes sources of the run."""

from typing import Any

from libs.bus.bus import Bus
from libs.contracts import search
from libs.contracts.faults import Code, Fault
from libs.contracts.tools import SearchContext
from services.runner.runs import grounding
from services.runner.runs.grounding import Grounds
from services.runner.runs.live import Live

MOST = 20
DESCRIPTION = "Searches the knowledge base and returns the passages that answer the query best, numbered as sources."
PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "What to look for, in words or as a question."}},
    "required": ["query"],
    "additionalProperties": False,
}


def check(kind: SearchContext) -> None:
    if not 1 <= kind.limit <= MOST:
        raise Fault(Code.INVALID, f"A search finds from 1 to {MOST} passages.", field="limit")


async def call(bus: Bus, live: Live, kind: SearchContext, arguments: dict[str, Any]) -> str:
    """Only what the run's own conditions allow is found. Raises Fault where there is nothing to search."""
    contexts = kind.context_ids or live.accepted.scripted.action.context_ids
    if not contexts and live.accepted.request.informed:
        contexts = await grounding.everywhere(bus, live.workspace_id)
    if not contexts:
        raise Fault(Code.INVALID, "there are no contexts to search")
    question = str(arguments.get("query", ""))
    grounds = Grounds(live.workspace_id, contexts, question, live.accepted.conditions, kind.limit)
    found = await grounding.passages(bus, grounds)
    return grounding.told([(_noted(live, passage), passage) for passage in found]) if found else "Nothing was found."


def _noted(live: Live, passage: search.Passage) -> int:
    """The passage's number among the run's sources: the next one, unless it is there already."""
    numbers = {source.chunk_id: number for number, source in enumerate(live.sources, 1)}
    if passage.chunk_id not in numbers:
        retrieved = grounding.sources([passage])
        live.sources = [*live.sources, *retrieved.sources]
        live.recording.add(retrieved)
    return numbers.get(passage.chunk_id, len(live.sources))
