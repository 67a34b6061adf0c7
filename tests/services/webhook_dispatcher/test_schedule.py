from datetime import UTC, datetime

import pytest

from services.webhook_dispatcher.schedule import delay_after, parse_steps, retry_after

NOW = datetime(2026, 3, 11, 11, 30, tzinfo=UTC)


def test_five_attempts_are_made_over_the_published_schedule():
    assert [delay_after(attempts) for attempts in range(1, 6)] == [300, 1800, 7200, 28800, None]


def test_an_operator_may_choose_another_schedule():
    steps = parse_steps("1, 2.5")
    assert [delay_after(attempts, steps=steps) for attempts in range(1, 4)] == [1, 2.5, None]
    assert delay_after(1, steps=parse_steps("")) is None
    for wrong in ("0", "5,-1", "soon", "inf", "nan"):
        with pytest.raises(ValueError, match="expected seconds"):
            parse_steps(wrong)


@pytest.mark.parametrize(("attempts", "step"), [(1, 300), (2, 1800), (3, 7200), (4, 28800)])
def test_jitter_adds_at_most_a_tenth(attempts, step):
    least, middle, most = (delay_after(attempts, chance=chance) or 0 for chance in (0.0, 0.5, 0.999))
    assert step == least < middle < most <= step * 1.1


@pytest.mark.parametrize(("asked", "granted"), [(0, 300), (299, 300), (400, 400), (600, 600), (86400, 600)])
def test_what_the_receiver_asks_for_counts_between_one_and_two_steps(asked, granted):
    assert delay_after(1, asked=asked, chance=0.9) == granted


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Wed, 11 Mar 2026 11:40:00 GMT", 600),
        ("Wed, 11 Mar 2026 11:20:00 GMT", 0),
        ("Wednesday, 11-Mar-26 11:31:00 GMT", 60),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("Wed, 99 Mar 2026 99:40:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(header, seconds):
    assert retry_after(header, now=NOW) == seconds


def test_an_absurd_retry_after_is_still_only_two_steps():
    assert delay_after(1, asked=retry_after("9" * 5000, now=NOW)) == 600
