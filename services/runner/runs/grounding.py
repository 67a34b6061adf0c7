"""Grounding: the passages that retrieval finds for a question, as they stand in the prompt, numbered as sources."""

from collections.abc import Sequence, Set
from uuid import UUID

import msgspec
from msgspec import Struct

from libs.bus.bus import Bus
from libs.contracts import contexts, feed, search
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Slice
from libs.contracts.runs import Message, Source
from services.runner.runs import memory
from services.runner.runs.acceptance import Accepted
from services.runner.runs.frames import changed
from services.runner.store.grounded import Grounded

PASSAGES = 5
_SEARCH_SECONDS = 20.0
_LONGEST_QUESTION = 4000
_MOST_CONTEXTS = 100


class Grounds(Struct, frozen=True):
    """Where to look, and for what."""

    workspace_id: UUID
    context_ids: list[UUID]
    text: str
    conditions: dict[str, search.Condition]
    limit: int = PASSAGES

    @classmethod
    def of(cls, accepted: Accepted, context_ids: list[UUID] | None = None) -> "Grounds":
        """In the contexts of the action, or in these."""
        action, request = accepted.scripted.action, accepted.request
        limit = request.passages or PASSAGES
        where = action.context_ids if context_ids is None else context_ids
        return cls(action.workspace_id, where, accepted.prompt.search, accepted.conditions, limit)


async def passages(bus: Bus, grounds: Grounds) -> list[search.Passage]:
    """Best first, of the contexts that are there. Raises Fault, CONFLICT where none of them is any more."""
    query = search.Query(
        grounds.workspace_id,
        grounds.context_ids,
        grounds.text[:_LONGEST_QUESTION],
        limit=grounds.limit,
        conditions=grounds.conditions,
    )
    try:
        return await bus.call(search.QUERY, query, timeout=_SEARCH_SECONDS)
    except Fault as fault:
        if fault.code is not Code.NOT_FOUND:
            raise
    if not (left := await _left(bus, grounds)):
        raise Fault(Code.CONFLICT, "All contexts to answer from were deleted: give others, or none.")
    return await bus.call(search.QUERY, msgspec.structs.replace(query, context_ids=left), timeout=_SEARCH_SECONDS)


async def _left(bus: Bus, grounds: Grounds) -> list[UUID]:
    """The contexts without those that were deleted since."""
    known = await bus.call(contexts.REVISIONS, contexts.GetRevisions(grounds.workspace_id, grounds.context_ids))
    return [id for id in grounds.context_ids if id in known]


async def everywhere(bus: Bus, workspace_id: UUID) -> list[UUID]:
    """The workspace's contexts, as many as are searched at once."""
    page = await bus.call(contexts.PAGE, contexts.PageContexts(workspace_id, Slice(0, _MOST_CONTEXTS)))
    return [context.id for context in page.items]


async def fitting(found: list[search.Passage], messages: list[Message], room: int) -> list[search.Passage]:
    """The best passages that fit beside these messages, best first."""
    texts = [message.content for message in messages]
    if memory.surely(room, [*texts, *(_numbered(number, passage) for number, passage in enumerate(found, 1)), _RULE]):
        return found
    kept: list[search.Passage] = []
    rest = await memory.left(room, [*texts, _RULE])
    for passage in found:
        needed = await memory.left(rest, [_numbered(len(kept) + 1, passage)]) if rest > 0 else -1
        if needed >= 0:
            rest = needed
            kept.append(passage)
    return kept


_RULE = "Answer from these passages, and name the numbers of those you use, like [1]:"
_FOUND = "Passages, by their numbers as sources:"
_REMOVED = "(The passages given here were removed: a document was deleted.)"


def grounded(messages: list[Message], found: list[search.Passage]) -> list[Message]:
    """The messages with the passages above the person's last turn."""
    if not found:
        return messages
    listed = "\n\n".join(_numbered(number, passage) for number, passage in enumerate(found, 1))
    at = max((place for place, message in enumerate(messages) if message.role == "user"), default=len(messages) - 1)
    asked = messages[at]
    with_them = msgspec.structs.replace(asked, content=f"{_RULE}\n\n{listed}\n\n{asked.content}")
    return [*messages[:at], with_them, *messages[at + 1 :]]


def told(found: Sequence[tuple[int, search.Passage]]) -> str:
    """Passages as a tool tells them, under the numbers that they have among the run's sources."""
    return "\n\n".join([_FOUND, *(_numbered(number, passage) for number, passage in found)])


def _numbered(number: int, passage: search.Passage) -> str:
    return f"[{number}] {passage.name}\n{passage.text}"


def without(run: Grounded, document_ids: Set[UUID]) -> Grounded:
    """The run without what it shows of these documents. Its passages go together: nothing tells them apart any more."""
    return msgspec.structs.replace(
        run,
        prompt=[_ungrounded(message, run.question) for message in run.prompt],
        sources=_unnamed(run.sources, document_ids),
        frames=changed(run.frames, lambda body: _nameless(body, document_ids)),
    )


def _ungrounded(message: Message, question: str) -> Message:
    if not message.content.startswith(_RULE):
        return message
    return msgspec.structs.replace(message, content=f"{_REMOVED}\n\n{question}")


def _nameless(body: feed.Body, document_ids: Set[UUID]) -> feed.Body:
    match body:
        case feed.Retrieved(sources):
            return feed.Retrieved(_unnamed(sources, document_ids))
        case feed.ToolResult(output=output) if output.startswith(_FOUND):
            return msgspec.structs.replace(body, output=_REMOVED)
        case _:
            return body


def _unnamed(sources: list[Source], document_ids: Set[UUID]) -> list[Source]:
    return [
        msgspec.structs.replace(source, name="") if source.document_id in document_ids else source for source in sources
    ]


def sources(found: list[search.Passage]) -> feed.Retrieved:
    return feed.Retrieved(
        [
            Source(
                passage.context_id, passage.document_id, passage.chunk_id, passage.name, passage.position, passage.score
            )
            for passage in found
        ]
    )
