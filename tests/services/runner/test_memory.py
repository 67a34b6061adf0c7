"""What fits a model's context window, counted in tokens."""

import pytest

from libs.contracts import ids
from libs.contracts.actions import Parameters
from libs.contracts.runs import Message
from services.runner import tokens
from services.runner.runs import memory
from services.runner.store.sessions import Turn

pytestmark = pytest.mark.asyncio


async def test_tokens_are_counted_as_a_tokenizer_cuts():
    assert await tokens.count("") == 0
    assert await tokens.count("Hello world") == 2
    assert 5 <= await tokens.count("Größe 😀") <= tokens.at_most("Größe 😀")


@pytest.mark.parametrize("text", ["word " * 10_000, "😀" * 20_000, "a" * 50_000])
async def test_a_long_text_is_counted_piece_by_piece(text):
    counted = await tokens.count(text)
    assert tokens.at_least(text) <= counted <= tokens.at_most(text) + len(text) // 8192 + 1


async def test_half_of_the_window_is_the_prompts_whatever_the_answer_may_take():
    assert memory.room(2048, Parameters()) == 2048 - 512
    assert memory.room(128_000, Parameters()) == 128_000 - 1024
    assert memory.room(2048, Parameters(max_tokens=100)) == 1948
    assert memory.room(2048, Parameters(max_tokens=100_000)) == 1024


def turns(*pairs: tuple[str, str]) -> list[Turn]:
    """Newest first, as they are read."""
    return [Turn(question, answer, ids.new()) for question, answer in reversed(pairs)]


async def test_turns_that_fit_come_oldest_first():
    recalled = await memory.recalled(turns(("a", "b"), ("c", "d")), ["system", "now"], 100)
    assert recalled == [
        Message("user", "a"),
        Message("assistant", "b"),
        Message("user", "c"),
        Message("assistant", "d"),
    ]


async def test_the_newest_turns_are_kept_where_not_all_fit():
    long = "word " * 100
    recalled = await memory.recalled(turns(("first", long), ("second", long), ("third", long)), ["now"], 240)
    assert [message.content for message in recalled if message.role == "user"] == ["second", "third"]


async def test_a_turn_too_long_ends_what_is_remembered():
    recalled = await memory.recalled(turns(("first", "x"), ("second", "word " * 5000), ("third", "y")), ["now"], 60)
    assert [message.content for message in recalled] == ["third", "y"]


async def test_a_prompt_that_fills_the_room_leaves_none_to_remember():
    assert await memory.recalled(turns(("a", "b")), ["word " * 1000], 100) == []
