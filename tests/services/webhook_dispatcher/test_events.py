import pytest

from libs.contracts import public_events
from libs.contracts.faults import Code, Fault
from services.webhook_dispatcher import events


def test_an_event_is_heard_by_its_name_by_each_prefix_and_by_all():
    assert public_events.patterns("automation.run.failed") == [
        "automation.run.failed",
        "automation.*",
        "automation.run.*",
        "*",
    ]


@pytest.mark.parametrize(
    "list",
    [["*"], ["generation.completed"], ["automation.*", "automation.run.*"], ["contact.created", "test.ping"]],
)
def test_events_of_the_reference_can_be_subscribed_to(list):
    assert events.subscription(list) == list


def test_a_repeated_event_counts_once():
    assert events.subscription(["feedback.created", "*", "feedback.created"]) == ["feedback.created", "*"]


@pytest.mark.parametrize(
    "list",
    [[], [""], ["generation"], ["generation."], ["nothing.*"], ["**"], ["*.*"], ["test.ping", "run.finished"], ["\0"]],
)
def test_anything_else_is_refused_by_the_name_of_the_field(list):
    with pytest.raises(Fault) as refused:
        events.subscription(list)
    assert (refused.value.code, refused.value.field) == (Code.INVALID, "events")
