"""When schedules are due: by the clocks of their time zone, also where those are set forward or back."""

from datetime import UTC, datetime

import pytest

from libs.contracts.automations import Schedule
from libs.contracts.faults import Code, Fault
from services.runner.automations import times


def following(cron: str, timezone: str, after: str, count: int = 2) -> list[str]:
    """The next times, in UTC."""
    found, at = [], datetime.fromisoformat(after).astimezone(UTC)
    for _ in range(count):
        at = times.next_of(Schedule(cron), timezone, at)
        assert at is not None
        found.append(f"{at:%d %H:%M:%S}")
    return found


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "expected"),
    [
        ("0 9 * * *", "UTC", "2026-03-01T08:59:59Z", ["01 09:00:00", "02 09:00:00"]),
        ("0 9 * * *", "UTC", "2026-03-01T09:00:00Z", ["02 09:00:00", "03 09:00:00"]),
        ("0 9 * * MON-FRI", "Asia/Tokyo", "2026-03-06T00:00:00Z", ["09 00:00:00", "10 00:00:00"]),
        ("*/20 * * * * *", "Europe/Rome", "2026-03-01T08:59:50Z", ["01 09:00:00", "01 09:00:20"]),
        # Rome has no 2:30 on the 29th of March, and two of them on the 25th of October: a day is a run.
        ("30 2 * * *", "Europe/Rome", "2026-03-28T12:00:00Z", ["29 01:00:00", "30 00:30:00"]),
        ("30 2 * * *", "Europe/Rome", "2026-10-24T12:00:00Z", ["25 00:30:00", "26 01:30:00"]),
        ("30 2 * * *", "Europe/Rome", "2026-10-25T01:10:00Z", ["26 01:30:00", "27 01:30:00"]),
        # Every half an hour goes on through both.
        ("*/30 * * * *", "Europe/Rome", "2026-10-25T00:30:00Z", ["25 01:00:00", "25 01:30:00"]),
        ("*/30 * * * *", "Europe/Rome", "2026-03-29T00:30:00Z", ["29 01:00:00", "29 01:30:00"]),
    ],
)
def test_a_schedule_is_due_by_the_clocks_of_its_zone(cron, timezone, after, expected):
    assert following(cron, timezone, after) == expected


@pytest.mark.parametrize(
    "cron", ["", "* * * *", "60 * * * *", "0 0 31 2 *", "@daily", "1" * 500, "* " * 400, "0 0 * * 8"]
)
def test_what_is_no_cron_expression_is_invalid(cron):
    with pytest.raises(Fault) as refused:
        times.next_of(Schedule(cron), "UTC", datetime.now(UTC))
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "trigger_config.cron")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "\0", "Europe", "x" * 5000])
def test_what_is_no_time_zone_is_invalid(zone):
    with pytest.raises(Fault) as refused:
        times.zone(zone, "timezone")
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "timezone")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T09:00:00Z", datetime(2026, 3, 1, 9, tzinfo=UTC)),
        ("2026-03-01T09:00:00+02:00", datetime(2026, 3, 1, 7, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read(text, expected):
    assert times.moment(text, "until") == expected


@pytest.mark.parametrize("text", ["", "soon", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-13-01"])
def test_what_is_no_moment_is_invalid(text):
    with pytest.raises(Fault) as refused:
        times.moment(text, "until")
    assert refused.value.field == "until"
