"""docs/operating.md names every setting that a service reads, and none that it does not."""

import importlib
import re

import pytest
from msgspec import structs

from deploy.local.children import ROOT
from libs.contracts.subjects import MAY_CALL
from libs.runtime.settings import Common

PAGE = (ROOT / "docs" / "operating.md").read_text()


def settings(service: str) -> set[str]:
    kind = importlib.import_module(f"services.{service}.__main__").Settings
    return {field.name.upper() for field in structs.fields(kind)}


def named(cell: str) -> set[str]:
    """The variables of a cell: `DEFAULT_MODEL_URL`, `…_NAME` stands for DEFAULT_MODEL_NAME."""
    names = re.findall(r"`([^`]+)`", cell)
    start = names[0].rpartition("_")[0]
    return {name.replace("…", start) for name in names}


def rows(service: str) -> set[str]:
    cells = re.findall(rf"^\| {service} \| ([^|]+) \|(.*)\|$", PAGE, flags=re.MULTILINE)
    also = {name for _, meaning in cells for name in re.findall(r"`(QDRANT_API_KEY)`", meaning)}
    return set().union(also, *(named(cell) for cell, _ in cells))


@pytest.mark.parametrize("service", MAY_CALL)
def test_what_a_service_alone_is_told_is_on_the_page(service):
    own = settings(service) - {field.name.upper() for field in structs.fields(Common)}
    assert rows(service) == own


def test_what_every_service_is_told_is_on_the_page():
    section = PAGE.partition("## What every service is told")[2].partition("And some of them alone")[0]
    assert set(re.findall(r"`([A-Z_]{5,})`", section)) - {"DEBUG", "WARNING", "ERROR", "NAME_FILE"} == {
        field.name.upper() for field in structs.fields(Common)
    }
