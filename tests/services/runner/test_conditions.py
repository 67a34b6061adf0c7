"""Conditions: what is compared, and as what."""

from typing import Any

import pytest

from libs.contracts.automation_steps import Operator
from libs.contracts.faults import Code, Fault
from services.runner.automations.conditions import met


@pytest.mark.parametrize(
    ("left", "op", "right", "is_met"),
    [
        ("a", "equals", "a", True),
        (True, "equals", "true", True),
        (7, "equals", "7", True),
        (None, "equals", "", True),
        ("Hello you", "contains", "you", True),
        (["vip", "client"], "contains", "client", True),
        (["vip-old"], "contains", "vip", False),
        (["vip-old"], "not_contains", "vip", True),
        ([1, 2], "contains", "2", True),
        ([], "contains", "", False),
        ("10", "greater", "9", True),
        (10, "at_most", "9.5", False),
        ([], "empty", "", True),
        (0, "not_empty", "", True),
    ],
)
def test_two_values_are_compared(left: Any, op: Operator, right: str, is_met: bool):
    assert met(left, op, right, "steps[0].config") is is_met


def test_a_size_that_is_no_number_is_named():
    with pytest.raises(Fault) as refused:
        met("many", "less", "3", "steps[0].config")
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "steps[0].config.left")
