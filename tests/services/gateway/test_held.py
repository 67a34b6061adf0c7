"""Whatever gateways do, and whatever becomes of what they ask and tell: no window has more let in than its limit.

Here they hang, are killed, have other clocks and other limits for a while, and each question and each word of theirs is
heard late, or never, or is heard without their knowing it.
"""

from collections import Counter
from enum import Enum
from typing import Any
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from libs.contracts.limits import Kind
from services.gateway.limits.held import Given, Held, Spent
from services.gateway.limits.store import Asked, granted

_GATEWAYS = 3
_WORKSPACE = UUID(int=1)

gateway = st.integers(0, _GATEWAYS - 1)
# With more or fewer gateways in sight than there are.
seen = st.integers(1, _GATEWAYS + 1)
some = st.randoms(use_true_random=False)


class Fate(Enum):
    """What becomes of a question or a word. UNKNOWN: it was heard, and whoever said it never knows."""

    HEARD, LOST, UNKNOWN = range(3)


fate = st.sampled_from(Fate)


class Gateways(RuleBasedStateMachine):
    """`given` and `used` are the rows in Postgres, by window; under way are `questions`, `answers` and `words`.

    In the windows that are `incomplete` something was lost.
    """

    def __init__(self) -> None:
        super().__init__()
        self.given: Counter[int] = Counter()
        self.used: Counter[int] = Counter()
        self.admitted: Counter[int] = Counter()
        self.most: Counter[int] = Counter()
        self.incomplete: set[int] = set()
        self.questions: list[tuple[Held, Asked]] = []
        self.answers: list[tuple[Held, Given]] = []
        self.words: list[tuple[Held, Spent]] = []
        self.asking: set[int] = set()
        self.all: list[Held] = []

    @initialize(kind=st.sampled_from(Kind), limit=st.sampled_from([0, 1, 7, 40, 300, 1000]))
    def start(self, kind: Kind, limit: int) -> None:
        self.kind = kind
        self.there = [self._begin(0, limit) for _ in range(_GATEWAYS)]

    def _begin(self, window: int, limit: int | None) -> Held:
        held = Held(self.kind, window, window + 1, limit)
        self.all.append(held)
        self._allow(held)
        return held

    def _allow(self, held: Held) -> None:
        self.most[held.begins] = max(self.most[held.begins], held.limit or 0)

    @rule(who=gateway, requests=st.integers(1, 60))
    def requests_come(self, who: int, requests: int) -> None:
        held = self.there[who]
        self.admitted[held.begins] += sum(held.admit() for _ in range(requests))

    @rule(who=gateway, waiting=st.integers(0, 60), seen=seen, at_once=st.booleans())
    def it_asks(self, who: int, waiting: int, seen: int, at_once: bool) -> None:
        held = self.there[who]
        if id(held) not in self.asking:
            held.waiting = waiting
            if back := held.returned():
                self.words.append((held, Spent(0, -back)))
            wanted = Asked(_WORKSPACE, self.kind, held.begins, held.limit or 0, held.wanted(seen))
            if at_once:
                self._answer(held, self._take(wanted))
            else:
                self.asking.add(id(held))
                self.questions.append((held, wanted))

    @precondition(lambda self: self.questions)
    @rule(random=some, fate=fate)
    def a_question_is_heard(self, random: Any, fate: Fate) -> None:
        held, asked = _drawn(self.questions, random)
        given = None if fate is Fate.LOST else self._take(asked)
        if given is None or fate is Fate.UNKNOWN:
            self.asking.discard(id(held))
            self.incomplete.add(held.begins)
        else:
            self.answers.append((held, given))

    def _take(self, asked: Asked) -> Given:
        if self.given[asked.begins] >= asked.most:
            return granted(asked, None)
        self.given[asked.begins] += asked.wanted
        return granted(asked, self.given[asked.begins])

    @precondition(lambda self: self.answers)
    @rule(random=some)
    def an_answer_comes(self, random: Any) -> None:
        self._answer(*_drawn(self.answers, random))

    def _answer(self, held: Held, given: Given) -> None:
        self.asking.discard(id(held))
        held.take(given, 0.0)
        held.waiting = 0

    @rule(who=gateway, seen=seen)
    def it_tells_what_it_used(self, who: int, seen: int) -> None:
        held = self.there[who]
        held.spare(seen)
        self._tell(held)

    def _tell(self, held: Held) -> None:
        if (spent := held.tell()) is not None:
            self.words.append((held, spent))

    @precondition(lambda self: self.words)
    @rule(random=some, fate=fate)
    def a_word_is_heard(self, random: Any, fate: Fate) -> None:
        held, spent = _drawn(self.words, random)
        if fate is not Fate.LOST:
            self._hear(held, spent)
        if fate is not Fate.HEARD:
            held.untell(spent)
            self.incomplete.add(held.begins)

    def _hear(self, held: Held, spent: Spent) -> None:
        self.given[held.begins] += spent.given
        self.used[held.begins] += spent.used

    @rule(who=gateway, killed=st.booleans())
    def it_is_killed_or_its_next_window_begins(self, who: int, killed: bool) -> None:
        before = self.there[who]
        if killed:
            self.incomplete.add(before.begins)
        self.there[who] = self._begin(before.begins + (not killed), before.limit)

    @rule(who=gateway, limit=st.sampled_from([0, 3, 40, 500]))
    def another_limit_holds(self, who: int, limit: int) -> None:
        self.there[who].turn(limit)
        self._allow(self.there[who])

    @invariant()
    def no_more_is_let_in_than_the_limit_allows(self) -> None:
        assert all(count <= self.most[window] for window, count in self.admitted.items())

    @invariant()
    def nobody_has_what_was_not_given(self) -> None:
        out = self.admitted.copy()
        for held in self.all:
            out[held.begins] += held.left
        assert all(count <= self.given[window] for window, count in out.items())

    def teardown(self) -> None:
        """Where all was heard in the end, what is out is what was used."""
        for held, asked in self.questions:
            self.answers.append((held, self._take(asked)))
        for held, given in self.answers:
            self._answer(held, given)
        for held in self.all:
            held.give_back()
            self._tell(held)
        for held, spent in self.words:
            self._hear(held, spent)
        for window in self.given.keys() - self.incomplete:
            assert self.given[window] == self.used[window] == self.admitted[window]


def _drawn(under_way: list[Any], random: Any) -> Any:
    return under_way.pop(random.randrange(len(under_way)))


TestGateways = Gateways.TestCase
TestGateways.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
