"""The words after `python -m services.<name>`: none runs the service, one of these does something else and ends.

Every service has `dead-letters`; it may bring commands of its own. The exit code is a command's, 2 for unknown words.
"""

import sys
from collections.abc import Callable, Mapping, Sequence

from libs.runtime.commands import dead_letters

Command = Callable[[Sequence[str]], int]


def carry_out(service: str, words: Sequence[str], own: Mapping[str, Command]) -> int:
    """The exit code of the command that `words` begin with."""
    commands: dict[str, Command] = {**own, "dead-letters": lambda rest: dead_letters.main(service, rest)}
    word, *rest = words
    if word in commands:
        return commands[word](rest)
    usage = f"usage: {program(service)} [{' | '.join(f'{known} …' for known in commands)}]\n"
    if word in ("-h", "--help"):
        sys.stdout.write(f"{usage}\nWithout words it runs the service. Each command tells of itself with --help.\n")
        return 0
    sys.stderr.write(f"{usage}{program(service)}: there is no command {word!r}\n")
    return 2


def program(service: str) -> str:
    return f"python -m services.{service}"
