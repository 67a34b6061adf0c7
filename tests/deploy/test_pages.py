"""The pages that people read: what they point at is there, and what they call commands are commands."""

import re
import subprocess
from pathlib import Path

import pytest

from deploy.local.children import ROOT
from deploy.local.demo import PAGES

WRITTEN = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_points_at_is_there(page: Path):
    targets = re.findall(r"\]\(([^)#]+)", page.read_text())
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_command_that_a_page_names_can_be_made(page: Path):
    known = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    can_be_made = {line.split()[0] for line in known.splitlines()}
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), flags=re.MULTILINE))
    assert named <= can_be_made


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_of_the_demo_are_there(page: str):
    assert (ROOT / page).is_file()
