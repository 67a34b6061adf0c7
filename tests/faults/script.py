"""What the model says: a text that is another for every word it is asked for, told at once or in pieces."""

import random
import re

from tests.support.provider import Answer, Asked

_WORD = re.compile(r"w\d+x\d+")


def answer(asked: Asked) -> Answer:
    """The word is in the last message. It is never told as a whole and never the same for two words."""
    found = _WORD.search(str(asked.body["messages"][-1]))
    assert found is not None, asked.body
    return of(found[0])


def of(word: str) -> Answer:
    chosen = random.Random(word)
    pieces = tuple(f"{word}:{n} " for n in range(chosen.randrange(3, 60)))
    between = chosen.choice((0.0, 0.01, 0.03, 0.06))
    return Answer(pieces=pieces, usage=(7, len(pieces)), first=chosen.choice((0.0, 0.05, 0.3)), between=between)
