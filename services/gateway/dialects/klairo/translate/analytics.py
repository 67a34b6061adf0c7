"""Analytics: the range of days that is asked for, and their figures.

A period says how far a range goes that is not told whole: to the end of the day, week or month that it begins in, from
the beginning of the one that it ends in. Weeks begin on Monday; all days are those of UTC.
"""

from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct

from libs.contracts import analytics
from libs.contracts.faults import Code, Fault
from services.gateway.dialects.klairo import wire
from services.gateway.dialects.klairo.wire.analytics import Period
from services.gateway.http import params
from services.gateway.plans.plans import Terms

MOST_DAYS = 366
_PERIODS: dict[str, Period] = {"": "month", "day": "day", "week": "week", "month": "month"}


class Range(Struct, frozen=True):
    """Both days are in it."""

    period: Period
    first: date
    last: date


def asked(query: Mapping[str, str], today: date) -> Range:
    """Raises Fault INVALID."""
    if (period := _PERIODS.get(query.get("period", ""))) is None:
        raise Fault(Code.INVALID, "Expected day, week or month.", field="period")
    first, last = _date(query, "from"), _date(query, "to")
    begun = first or _begin(period, last or today)
    return _checked(Range(period, begun, last or _end(period, begun)))


def _checked(asked: Range) -> Range:
    if asked.last < asked.first:
        raise Fault(Code.INVALID, "The range ends before it begins.", field=wire.analytics.RANGE)
    if (asked.last - asked.first).days >= MOST_DAYS:
        raise Fault(Code.INVALID, f"Ask for {MOST_DAYS} days at most.", field="to")
    return asked


def _date(query: Mapping[str, str], name: str) -> date | None:
    """A day, or the one that a time is on."""
    if not (text := query.get(name)):
        return None
    try:
        at = datetime.fromisoformat(text)
        return at.date() if at.tzinfo is None else at.astimezone(UTC).date()
    except (ValueError, OverflowError):
        raise Fault(Code.INVALID, f"Expected a date as 2026-03-01, got {params.shown(text)!r}.", field=name) from None


def _begin(period: Period, day: date) -> date:
    match period:
        case "day":
            return day
        case "week":
            return date.fromordinal(max(1, day.toordinal() - day.weekday()))
        case "month":
            return day.replace(day=1)


def _end(period: Period, day: date) -> date:
    match period:
        case "day":
            return day
        case "week":
            return date.fromordinal(min(date.max.toordinal(), day.toordinal() + 6 - day.weekday()))
        case "month":
            return day.replace(day=monthrange(day.year, day.month)[1])


def refuse_without(terms: Terms) -> None:
    """Raises Fault FORBIDDEN."""
    if not terms.analytics:
        raise Fault(Code.FORBIDDEN, f"There are no analytics on the plan {terms.title}.")


def reply(
    wanted: Range, counted: list[analytics.Day], terms: Terms, *, today: date, used: int
) -> wire.analytics.Analytics:
    """`used` is how many of today's messages are."""
    return wire.analytics.Analytics(
        period=wanted.period,
        first=wanted.first,
        last=wanted.last,
        summary=_summary(counted),
        daily=_daily(wanted, counted, today),
        quota=wire.analytics.Quota(
            plan=terms.plan,
            chat_limit_daily=terms.chat_messages_per_day,
            chat_used_today=used,
            api_limit_per_minute=terms.requests_per_minute,
        ),
    )


def _summary(counted: list[analytics.Day]) -> wire.analytics.Summary:
    return wire.analytics.Summary(
        chat_messages=sum(day.chat_messages for day in counted),
        automation_runs=sum(day.automation_runs for day in counted),
        contacts_created=sum(day.contacts_created for day in counted),
        api_calls=sum(day.api_calls for day in counted),
        webhooks_delivered=sum(day.webhooks_delivered for day in counted),
    )


def _daily(wanted: Range, counted: list[analytics.Day], today: date) -> list[wire.analytics.Day]:
    """Every day that has begun, so that a chart has no holes."""
    known = {day.date: day for day in counted}
    begun = (min(wanted.last, today) - wanted.first).days + 1
    days = (wanted.first + timedelta(days=number) for number in range(begun))
    return [_day(known.get(day) or analytics.Day(day)) for day in days]


def _day(day: analytics.Day) -> wire.analytics.Day:
    return wire.analytics.Day(
        date=day.date,
        chat_messages=day.chat_messages,
        automation_runs=day.automation_runs,
        contacts_created=day.contacts_created,
        api_calls=day.api_calls,
    )
