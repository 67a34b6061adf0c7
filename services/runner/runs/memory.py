"""What fits a model's context window: a session's earlier turns, newest first, and passages, best first.

Room is kept for the answer. Texts that fit even if each of their bytes were a token are not counted at all.
"""

from collections.abc import Iterable

from libs.contracts.actions import Parameters
from libs.contracts.runs import Message
from services.runner import tokens
from services.runner.store.sessions import Turn

_ANSWER = 1024


def room(window: int, parameters: Parameters) -> int:
    """The tokens a prompt may take: all but what the answer may, which is at most half of the window."""
    return window - min(parameters.max_tokens or min(_ANSWER, window // 4), window // 2)


def words(message: Message) -> str:
    """What a turn's tokens are made of."""
    return "".join([message.content, *(call.name + call.arguments for call in message.calls)])


async def left(room: int, texts: list[str]) -> int:
    """What texts leave of the room; below 0 where they don't fit."""
    if sum(map(tokens.at_least, texts)) > room:
        return -1
    return room - sum([await tokens.count(text) + tokens.PER_MESSAGE for text in texts])


async def shortened(text: str, tokens_left: int) -> str:
    """As much of its beginning as takes about so many tokens."""
    if tokens.at_most(text) <= tokens_left or (taken := await tokens.count(text)) <= tokens_left:
        return text
    return f"{text[: len(text) * tokens_left // taken]}\n… (cut off: the model's window has no room for more)"


def surely(room: int, texts: Iterable[str]) -> bool:
    return sum(tokens.at_most(text) + tokens.PER_MESSAGE for text in texts) <= room


async def recalled(turns: list[Turn], texts: list[str], room: int) -> list[Message]:
    """The newest turns that fit beside these texts, oldest first."""
    if not turns:
        return []
    if surely(room, [*texts, *(text for turn in turns for text in (turn.question, turn.answer))]):
        return _messages(turns)
    kept: list[Turn] = []
    rest = await left(room, texts)
    for turn in turns:
        rest = await left(rest, [turn.question, turn.answer]) if rest > 0 else -1
        if rest < 0:
            break
        kept.append(turn)
    return _messages(kept)


def without(prompt: list[Message], gone: list[Turn]) -> list[Message]:
    """A prompt that began with turns of which some are gone. Its last message is its own, whatever it says."""
    said = {(message.role, message.content) for message in _messages(gone)}
    return [*(message for message in prompt[:-1] if (message.role, message.content) not in said), *prompt[-1:]]


def _messages(turns: list[Turn]) -> list[Message]:
    """Turns come newest first."""
    spoken = ((Message("user", turn.question), Message("assistant", turn.answer)) for turn in reversed(turns))
    return [message for pair in spoken for message in pair]
