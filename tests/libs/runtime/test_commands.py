"""The words on a service's command line: every service knows dead-letters, and none takes what it does not know."""

import subprocess
import sys

import pytest

from libs.contracts.subjects import SERVICES
from libs.runtime.commands import dead_letters


def say(service: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", f"services.{service}", *words]
    return subprocess.run(command, env={}, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_service_has_dead_letters(service: str) -> None:
    said = say(service, "dead-letters", "--help")
    assert said.returncode == 0
    assert f"usage: python -m services.{service} dead-letters" in said.stdout


@pytest.mark.parametrize(("service", "known"), [("runner", "dead-letters …"), ("gateway", "admin … | dead-letters …")])
def test_an_unknown_word_ends_with_the_usage_and_code_2(service: str, known: str) -> None:
    said = say(service, "serve")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.splitlines() == [
        f"usage: python -m services.{service} [{known}]",
        f"python -m services.{service}: there is no command 'serve'",
    ]


def test_help_names_the_commands() -> None:
    said = say("gateway", "--help")
    assert (said.returncode, said.stderr) == (0, "")
    assert "[admin … | dead-letters …]" in said.stdout


@pytest.mark.parametrize("words", [["retry"], ["drop", "--all", "x"], ["list", "--limit", "0"], ["bury"], []])
def test_words_that_make_no_command_are_answered_with_its_usage(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        dead_letters.main("feedback", words)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m services.feedback dead-letters")
