"""Misfits: whoever sent what does not fit is told the field, and what would have fitted."""

from typing import Annotated, Literal

import pytest
from msgspec import Meta, Struct

from libs.contracts.faults import Code, Fault
from libs.contracts.runs import Status
from services.gateway.http import body, problems


class Circle(Struct, tag="circle"):
    status: Status = Status.RUNNING


class Square(Struct, tag="square"):
    pass


class Sent(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(min_length=1, max_length=3)] = "a"
    ids: Annotated[list[str], Meta(max_length=1)] = []
    size: Literal["large", "small"] | None = None
    shapes: list[Circle | Square] = []
    sizes: dict[str, Literal["small"]] = {}


STATUSES = [*Status]


@pytest.mark.parametrize(
    ("raw", "field", "message"),
    [
        ('{"name": 5}', "name", "Expected a text, got a whole number."),
        ('{"name": ""}', "name", "Expected a text of at least 1 character."),
        ('{"name": "abcd"}', "name", "Expected a text of at most 3 characters."),
        ('{"ids": ["a", "b"]}', "ids", "Expected a list of at most 1 item."),
        ('{"size": "huge"}', "size", "Expected large or small, got 'huge'."),
        ('{"size": "` - at `$.b`"}', "size", "Expected large or small, got '` - at `$.b`'."),
        ('{"sizes": {"a": "huge"}}', "sizes", "Expected small, got 'huge'."),
        ('{"shapes": [{"type": "line"}]}', "shapes[0].type", "Expected circle or square, got 'line'."),
        ('{"shapes": [{}]}', "shapes[0].type", "This field is required."),
        (
            '{"shapes": [{"type": "circle", "status": "x"}]}',
            "shapes[0].status",
            f"Expected {', '.join(STATUSES[:-1])} or {STATUSES[-1]}, got 'x'.",
        ),
        ('{"nam": ""}', "nam", "There is no such field."),
    ],
)
def test_a_misfit_is_named_with_what_would_have_fitted(raw: str, field: str, message: str):
    with pytest.raises(Fault) as raised:
        body.decode(raw.encode(), Sent)
    assert (raised.value.code, raised.value.field, raised.value.message) == (Code.INVALID, field, message)


@pytest.mark.parametrize(
    ("field", "message", "told"),
    [
        ("m", "A text must not hold NUL.", "m: A text must not hold NUL."),
        ("a", "A text must not hold NUL.", "a: A text must not hold NUL."),
        ("tags", "Expected 100 tags at most.", "Expected 100 tags at most."),
        ("steps[1]", "There is no steps[1] here.", "There is no steps[1] here."),
    ],
)
def test_a_message_names_its_field_once_as_a_word_of_its_own(field: str, message: str, told: str):
    assert problems.of(Fault(Code.INVALID, message, field=field)).message == told
