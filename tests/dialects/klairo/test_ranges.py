"""Which days a query for analytics asks for."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klairo import translate

TODAY = date(2026, 3, 11)


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ({}, "2026-03-01", "2026-03-31"),
        ({"period": "month"}, "2026-03-01", "2026-03-31"),
        ({"period": "week"}, "2026-03-09", "2026-03-15"),
        ({"period": "day"}, "2026-03-11", "2026-03-11"),
        ({"period": "week", "from": "2026-03-01"}, "2026-03-01", "2026-03-01"),
        ({"period": "week", "from": "2026-03-02"}, "2026-03-02", "2026-03-08"),
        ({"period": "month", "from": "2024-02-10"}, "2024-02-10", "2024-02-29"),
        ({"period": "month", "to": "2026-02-10"}, "2026-02-01", "2026-02-10"),
        ({"period": "day", "from": "2026-01-01", "to": "2026-03-01"}, "2026-01-01", "2026-03-01"),
        ({"from": "2026-03-01T23:30:00-02:00"}, "2026-03-02", "2026-03-31"),
        ({"period": "", "from": "", "to": ""}, "2026-03-01", "2026-03-31"),
    ],
)
def test_a_period_says_how_far_a_range_goes_that_is_not_told_whole(query, first, last):
    wanted = translate.analytics.asked(query, TODAY)
    assert (wanted.first.isoformat(), wanted.last.isoformat()) == (first, last)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "period": st.sampled_from(["day", "week", "month", "", "year"]),
            "from": st.dates().map(str) | st.datetimes(timezones=st.timezones()).map(str) | st.text(max_size=12),
            "to": st.dates().map(str) | st.text(max_size=12),
        },
    ),
    st.dates(),
)
def test_any_query_is_a_range_that_holds_its_days_or_is_refused(query, now):
    try:
        wanted = translate.analytics.asked(query, now)
    except Fault as raised:
        refused = raised
    else:
        assert wanted.first <= wanted.last
        assert (wanted.last - wanted.first).days < translate.analytics.MOST_DAYS
        return
    assert refused.code is Code.INVALID
