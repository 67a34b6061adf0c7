"""Conditions: two values compared. Sizes are numbers, a list contains its entries, everything else is text."""

from typing import Any

from libs.contracts.automation_steps import Operator
from libs.contracts.faults import Code, Fault
from services.runner.prompting.templates import spelled


def met(left: Any, op: Operator, right: str, where: str) -> bool:
    """Raises Fault INVALID for a size that is no number."""
    text = spelled(left)
    match op:
        case "equals":
            return text == right
        case "not_equals":
            return text != right
        case "contains":
            return _contains(left, right)
        case "not_contains":
            return not _contains(left, right)
        case "empty":
            return left in (None, [], {}) or not text.strip()
        case "not_empty":
            return left not in (None, [], {}) and bool(text.strip())
        case _:
            return _compared(_number(text, f"{where}.left"), op, _number(right, f"{where}.right"))


def _contains(left: Any, right: str) -> bool:
    return right in (map(spelled, left) if isinstance(left, list) else spelled(left))


def _compared(left: float, op: Operator, right: float) -> bool:
    match op:
        case "greater":
            return left > right
        case "at_least":
            return left >= right
        case "less":
            return left < right
        case _:
            return left <= right


def _number(text: str, field: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise Fault(Code.INVALID, f"{text[:100]!r} is no number to compare.", field=field) from None
