"""Old and new versions of the services run side by side, so a contract only ever grows."""

import json

import pytest

from tests.contracts.snapshot import KEPT, taken

NOW, BEFORE = taken(), json.loads(KEPT.read_text())
STRUCTS = sorted(name for name, kept in BEFORE["types"].items() if "fields" in kept)
ENUMS = sorted(name for name, kept in BEFORE["types"].items() if "values" in kept)


@pytest.mark.parametrize("subject", BEFORE["subjects"])
def test_a_subject_stays_and_carries_what_it_did(subject):
    assert NOW["subjects"].get(subject) == BEFORE["subjects"][subject]


@pytest.mark.parametrize("name", STRUCTS)
def test_no_field_is_removed_or_retyped(name):
    assert name in NOW["types"], f"{name} is gone, and services that are still running send it"
    before, now = BEFORE["types"][name], NOW["types"][name]
    assert (now["tag"], now["array"]) == (before["tag"], before["array"])
    kept = {field: now["fields"].get(field, {}).get("type") for field in before["fields"]}
    assert kept == {field: known["type"] for field, known in before["fields"].items()}


@pytest.mark.parametrize("name", STRUCTS)
def test_no_field_becomes_required(name):
    """An older sender leaves it out."""
    before, now = BEFORE["types"][name]["fields"], NOW["types"][name]["fields"]
    required = {field for field, known in now.items() if known["required"]}
    assert required <= {field for field, known in before.items() if known["required"]}


@pytest.mark.parametrize("name", [name for name in STRUCTS if BEFORE["types"][name]["array"]])
def test_what_travels_as_an_array_grows_at_its_end(name):
    before, now = list(BEFORE["types"][name]["fields"]), list(NOW["types"][name]["fields"])
    assert now[: len(before)] == before


@pytest.mark.parametrize("name", ENUMS)
def test_no_value_of_an_enumeration_is_removed(name):
    assert set(BEFORE["types"][name]["values"]) <= set(NOW["types"][name]["values"])


def test_the_snapshot_knows_everything_there_is():
    assert NOW == BEFORE, "The contracts grew: keep them with `python -m tests.contracts.snapshot`"
