"""A round: one question to the model, what it says to it, and what that took."""

from msgspec import Struct, field

from libs.contracts import runs
from libs.contracts.feed import Thinking, Token
from libs.contracts.runs import Message, ToolCall, Usage
from services.runner import tokens
from services.runner.providers.call import Finished, Piece
from services.runner.runs import memory


class Round(Struct, eq=False):
    """`said` is all that was heard, `text` the part of it that is an answer."""

    messages: list[Message]
    said: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    finished: Finished | None = None

    @property
    def answer(self) -> str:
        return "".join(self.text)

    def take(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            match piece:
                case Token(text):
                    self.said.append(text)
                    self.text.append(text)
                case Thinking(text):
                    self.said.append(text)
                case ToolCall():
                    self.said += [piece.name, piece.arguments]
                    self.calls.append(piece)
                case Finished():
                    self.finished = piece

    def turn(self, calls: list[ToolCall]) -> Message:
        """What the model said, with those of its calls that are answered here."""
        return Message("assistant", self.answer, calls)

    async def usage(self, *, stopped: bool = False) -> Usage:
        """As the provider told, or counted; nothing where the model refused. One that was `stopped` before it said
        anything has been asked all the same, and providers charge for what they read.
        """
        if self.finished is not None and self.finished.usage is not None:
            return self.finished.usage
        if self.finished is None and not self.said and not stopped:
            return Usage()
        prompt = [await tokens.count(memory.words(message)) + tokens.PER_MESSAGE for message in self.messages]
        return Usage(sum(prompt), await tokens.count("".join(self.said)), counted=True)


async def usage(rounds: list[Round], *, stopped: bool = False) -> Usage:
    """Of all rounds together: it was counted where that of one was."""
    if len(rounds) == 1:
        return await rounds[0].usage(stopped=stopped)
    each = [await round.usage(stopped=stopped) for round in rounds]
    return runs.Usage(
        sum(one.prompt_tokens for one in each),
        sum(one.completion_tokens for one in each),
        sum(one.reasoning_tokens for one in each),
        any(one.counted for one in each),
        sum(one.cached_tokens for one in each),
    )
