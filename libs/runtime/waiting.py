"""Waiting for what a service needs: it tries until it has it, says so once, and `/readyz` names it meanwhile."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from libs.contracts.faults import Code, Fault
from libs.runtime.health import Health

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 2.0


def absence(error: Exception) -> bool:
    """A server that is away, as the libraries report it once they are connected."""
    return isinstance(error, Fault) and error.code in (Code.UNAVAILABLE, Code.TIMEOUT)


def mendable(error: Exception) -> bool:
    """What goes wrong while connecting (refused, starting up, wrong password) may be put right from outside, unless it
    is a setting that makes no sense."""
    return not isinstance(error, ValueError | TypeError)


async def until(
    health: Health, name: str, attempt: Callable[[], Awaitable[T]], *, waits: Callable[[Exception], bool] = absence
) -> T:
    """The first result of `attempt`, tried again after every error that `waits` accepts."""
    health.lacks(name, "tried for the first time")
    delay, said = _FIRST_DELAY, False
    while True:
        try:
            made = await attempt()
        except Exception as error:
            if not waits(error):
                raise
            health.lacks(name, _reason(error))
            said = said or _say(name, _reason(error))
        else:
            health.has(name)
            if said:
                log.info("What was missing is there", extra={"missing": name})
            return made
        await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311 spreads the tries of many processes
        delay = min(delay * 2, _LONGEST_DELAY)


def tell(health: Health, name: str, missing: str) -> None:
    """Note what is (or, with an empty text, no longer is) missing, with one log line per change."""
    if missing:
        if health.lacks(name, missing):
            _say(name, missing)
    elif health.has(name):
        log.info("What was missing is there", extra={"missing": name})


def _say(name: str, reason: str) -> bool:
    log.warning("Waiting for what is missing", extra={"missing": name, "error": reason})
    return True


def _reason(error: Exception) -> str:
    return str(error.__cause__ or error) or type(error).__name__
