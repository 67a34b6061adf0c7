"""Times: when a schedule sets an automation off next, and how long a step waits."""

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from libs.contracts.automations import Automation, Schedule, Status
from libs.contracts.faults import Code, Fault

_LONGEST_CRON = 100
# What zoneinfo finds beside IANA's names: the clocks of the machine that looks.
_OF_THE_MACHINE = ("localtime", "posixrules")


def next_at(automation: Automation, after: datetime) -> datetime | None:
    """None for what no schedule sets off, now or ever. Raises Fault INVALID."""
    if automation.status is not Status.ACTIVE or not isinstance(automation.trigger, Schedule):
        return None
    return next_of(automation.trigger, automation.timezone, after)


def next_of(schedule: Schedule, timezone: str, after: datetime) -> datetime | None:
    """By the clocks of the schedule's own time zone, else of this one. Raises Fault INVALID.

    In an hour that clocks show twice, times of the first one are over.
    """
    local = after.astimezone(zone(schedule.timezone or timezone, "trigger_config.timezone"))
    times = (at.astimezone(UTC) for at in _simulated(schedule.cron, local))
    return next((at for at in times if at > after), None)


def zone(name: str, field: str) -> ZoneInfo:
    """Raises Fault INVALID for what is no IANA time zone."""
    try:
        if name in _OF_THE_MACHINE:
            raise ValueError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"{name[:100]!r} is no time zone: expected a name such as Europe/Berlin."
        raise Fault(Code.INVALID, message, field=field) from None


def moment(text: str, field: str) -> datetime:
    """A moment in ISO 8601; without an offset it is UTC's. Raises Fault INVALID."""
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"{text[:100]!r} is no moment: expected ISO 8601, such as 2026-03-01T09:00:00Z."
        raise Fault(Code.INVALID, message, field=field) from None


def _simulated(cron: str, local: datetime) -> Iterator[datetime]:
    try:
        if len(cron) > _LONGEST_CRON:
            raise CronSimError("It is too long")
        return iter(CronSim(cron, local))
    except CronSimError as error:
        why = f"{cron[:_LONGEST_CRON]!r} is no cron expression: {str(error).lower()}."
        message = f"{why} Expected five fields, such as 0 9 * * MON-FRI, or six with the seconds first."
        raise Fault(Code.INVALID, message, field="trigger_config.cron") from None
