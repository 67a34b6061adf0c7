"""The events of Klu's stream, made of a run's frames."""

import json

from libs.contracts import feed, ids, runs
from libs.contracts.faults import Failure
from services.gateway.dialects.klu.translate import events

RUN = ids.new()


def frames(*bodies: feed.Body, attempt: int = 1) -> list[feed.Frame]:
    return [feed.Frame(attempt, n, body) for n, body in enumerate(bodies, 1)]


DONE = feed.Done("stop", runs.Usage(), 12.5)


def test_tokens_that_are_due_together_become_one_event_with_the_id_of_the_last():
    made = events.of(RUN, frames(feed.Started(RUN, None, "m", "p"), feed.Token("Hel"), feed.Token("lo"), DONE))
    assert [event.data for event in made] == [b'{"token":"Hello"}', b"END_STREAM"]
    assert [event.id for event in made] == [f"{RUN}-3", f"{RUN}-4"]


def test_a_second_attempt_is_part_of_the_id():
    assert [event.id for event in events.of(RUN, frames(feed.Token("a"), attempt=2))] == [f"{RUN}-2.1"]


def test_what_is_no_text_is_no_event():
    assert events.of(RUN, frames(feed.Thinking("hm"), runs.ToolCall("1", "f", "{}"), feed.Unknown())) == []


def test_a_long_text_is_cut_for_readers_of_lines_and_only_the_last_piece_carries_the_id():
    text = "ab\n\u2028é" * 20_000
    made = events.of(RUN, frames(feed.Token(text)))
    assert "".join(json.loads(event.data)["token"] for event in made) == text
    assert max(len(event.encoded()) for event in made) < 60_000
    assert [event.id for event in made] == [""] * (len(made) - 1) + [f"{RUN}-1"]


def test_a_failure_is_told_in_the_words_of_every_sdk_before_the_end():
    in_browsers, error, end = events.of(RUN, frames(feed.Failed(Failure("UPSTREAM", "The provider is away."))))
    assert (in_browsers.name, error.name) == ("FatalError", "error")
    assert in_browsers.data == error.data
    assert json.loads(error.data) == {
        "error": "UPSTREAM",
        "message": "The provider is away.",
        "detail": "The provider is away.",
    }
    assert (end.data, end.id) == (b"END_STREAM", f"{RUN}-1")


def test_a_cancelled_run_ends():
    assert [event.data for event in events.of(RUN, frames(feed.Cancelled(runs.Usage())))] == [b"END_STREAM"]


def test_an_answer_that_begins_again_begins_as_it_did_at_first():
    made = events.of(RUN, frames(feed.Restarted(), feed.Token("Hello"), attempt=2))
    assert [(event.data, event.id) for event in made] == [
        (b"BEGIN_STREAM", f"{RUN}-2.1"),
        (b'{"token":"Hello"}', f"{RUN}-2.2"),
    ]


def test_an_answer_that_is_replaced_begins_again_with_the_new_text():
    made = events.of(RUN, frames(feed.Token("no"), feed.Replaced("yes")))
    assert [(event.data, event.id) for event in made] == [
        (b'{"token":"no"}', f"{RUN}-1"),
        (b"BEGIN_STREAM", ""),
        (b'{"token":"yes"}', f"{RUN}-2"),
    ]
