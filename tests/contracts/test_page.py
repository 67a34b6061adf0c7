"""docs/subjects.md is what the code says."""

from pathlib import Path

import pytest

from deploy import subjects
from libs.contracts import runs

KEPT = Path(__file__).parent.parent.parent / "docs" / "subjects.md"
PAGE = subjects.page()


def test_the_page_of_subjects_is_up_to_date():
    assert KEPT.read_text() == PAGE, "Write it: make pages"


@pytest.mark.parametrize("constant", subjects.constants(), ids=lambda constant: constant.subject.name)
def test_every_subject_is_on_the_page(constant):
    assert f"| `{constant.subject.name}` |" in PAGE


def test_who_hears_an_event_is_read_from_the_services():
    (row,) = [line for line in PAGE.splitlines() if f"`{runs.FINISHED.name}`" in line]
    assert "feedback, webhook_dispatcher" in row
