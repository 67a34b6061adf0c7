"""The agent: model, tools, model …, until there is an answer, or a call that is the caller's own to make.

The rule: every question to the model is a round of the run, and all that it says is heard by the run's followers as it
comes, but for a repaired answer: that one replaces what was said before.
"""

from libs.contracts import feed
from libs.contracts.faults import Code, Fault
from libs.contracts.feed import ToolResult
from libs.contracts.runs import Message
from services.runner.prompting import formats
from services.runner.prompting.schemas import Schemas
from services.runner.providers.call import Finished, ModelCall, Piece
from services.runner.providers.upstream import Upstream
from services.runner.runs import memory
from services.runner.runs.feeds import Feeds
from services.runner.runs.live import Live
from services.runner.runs.rounds import Round
from services.runner.tools.ready import AUTO, NONE
from services.runner.tools.toolbox import Toolbox

_MEND = (
    "Your answer does not fit what was asked for ({misfit}). Give the whole answer again, as JSON that fits, and "
    "nothing else."
)
# Tokens that a result keeps, however little room there is.
_LEAST = 64


class Agent:
    def __init__(self, upstream: Upstream, feeds: Feeds, toolbox: Toolbox, schemas: Schemas) -> None:
        self._upstream, self._feeds, self._toolbox, self._schemas = upstream, feeds, toolbox, schemas

    async def answer(self, live: Live) -> None:
        """Raises Fault where the model fails, calls tools without end, or does not answer in the format asked for."""
        kit, turns = live.accepted.toolkit, live.messages
        choice = kit.choice
        for left in range(kit.rounds, -1, -1):
            round = await self._listen(live, turns, choice)
            calls = round.calls if kit.offered else []
            ours = [call for call in calls if not call.client]
            if ours:
                if not left:
                    raise Fault(Code.UPSTREAM, f"The model called tools {kit.rounds + 1} times and gave no answer.")
                live.finished = None
                results = await self._toolbox.answer(live, ours)
                turns = [*turns, round.turn(ours), *await _told(live, turns, round, results)]
            if theirs := [call for call in calls if call.client]:
                live.calls, live.finished = theirs, Finished("tool_calls")
                return
            if not ours:
                break
            # Whoever had to call a tool has done so; in the last round only an answer is left.
            choice = NONE if left == 1 or choice == NONE else AUTO
        if (schema := formats.schema(live.accepted.parameters.response_format)) is not None:
            await self._fit(live, turns, schema)

    async def _listen(self, live: Live, turns: list[Message], choice: str) -> Round:
        """A round that followers hear as it comes."""
        round = live.begin_round(turns)

        async def hear(pieces: list[Piece]) -> None:
            live.take(pieces)
            if live.followed:
                await self._feeds.move(live)

        await self._upstream.ask(_call(live, turns, choice), hear)
        return round

    async def _fit(self, live: Live, turns: list[Message], schema: dict[str, object]) -> None:
        """Sees to it that the output is JSON which fits: as it is, out of its fence, or said once more."""
        said = live.rounds[-1].answer
        answer = formats.bare(said)
        misfit = await self._schemas.misfit(schema, answer)
        if misfit is not None:
            mend = Message("user", _MEND.format(misfit=misfit))
            answer = formats.bare(await self._say_again(live, [*turns, Message("assistant", said), mend]))
            misfit = await self._schemas.misfit(schema, answer)
        if answer != live.said:
            await self._replace(live, answer)
        if misfit is not None:
            raise Fault(Code.INVALID, f"The model's answer does not fit response_format: {misfit}.")

    async def _say_again(self, live: Live, turns: list[Message]) -> str:
        """A round that nobody hears before it is over."""
        round = live.begin_round(turns)

        async def hear(pieces: list[Piece]) -> None:
            live.hear(pieces)

        await self._upstream.ask(_call(live, turns, NONE), hear)
        return round.answer

    async def _replace(self, live: Live, answer: str) -> None:
        live.recording.add(feed.Replaced(answer))
        if live.followed:
            await self._feeds.send(live)


def _call(live: Live, turns: list[Message], choice: str) -> ModelCall:
    accepted = live.accepted
    return ModelCall(accepted.model.endpoint, turns, accepted.parameters, accepted.toolkit.offered, choice)


async def _told(live: Live, turns: list[Message], round: Round, results: list[ToolResult]) -> list[Message]:
    """The results as the model is told them: where they don't fit its window, each keeps its share of what is left."""
    room, outputs = live.accepted.room, [result.output for result in results]
    before = [*map(memory.words, turns), memory.words(round.turn(round.calls))]
    if not memory.surely(room, [*before, *outputs]):
        share = max(await memory.left(room, before) // len(results), _LEAST)
        outputs = [await memory.shortened(output, share) for output in outputs]
    return [Message("tool", output, call_id=result.id) for result, output in zip(results, outputs, strict=True)]
