"""What the model says: a text that is another for every word it is asked for, told at once or in pieces."""

import random
import re

from tests.support.provider import Answer, Asked

_WORD = re.compile(r"w\d+x\d+s?")
# What ends in an s is told slowly, over nine seconds.
_SLOW_PIECES, _SLOW_BETWEEN = 60, 0.15


def answer(asked: Asked) -> Answer:
    """The word is in the last message. It is never told as a whole and never the same for two words."""
    found = _WORD.search(str(asked.body["messages"][-1]))
    assert found is not None, asked.body
    return of(found[0])


def of(word: str) -> Answer:
    chosen, slow = random.Random(word), word.endswith("s")
    pieces = tuple(f"{word}:{n} " for n in range(_SLOW_PIECES if slow else chosen.randrange(3, 60)))
    between = _SLOW_BETWEEN if slow else chosen.choice((0.0, 0.01, 0.03, 0.06))
    return Answer(pieces=pieces, usage=(7, len(pieces)), first=chosen.choice((0.0, 0.05, 0.3)), between=between)
