"""docs/subjects.md, made from the contracts and from who names them: `python -m deploy.subjects > docs/subjects.md`,
or `make pages`.

What a subject carries is read from its declaration, who asks or hears it from the code of the services. Nothing here is
written by hand, so the page can't be wrong; a test keeps it up to date.
"""

import ast
import inspect
import pkgutil
import sys
import types
import typing
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from libs import contracts
from libs.contracts.subjects import MAY_ASK, MAY_CALL, Event, Feed, Rpc, Subject

_SERVICES = Path(__file__).parent.parent / "services"
_INTRODUCTION = """\
# Subjects

What the services say to each other, made by `make pages` from `libs/contracts` and from the code of the
services. An **rpc** is a question that its owner answers, an **event** a fact that its owner states, a **feed** what
its owner says to whoever listens now, above all the numbered frames of a run under the subject and the run's id.
Bodies are MessagePack; a Fault may come in place of every answer."""


@dataclass(frozen=True)
class Constant:
    """A subject as declared: `runs.START`."""

    module: ModuleType
    name: str
    subject: Subject

    @property
    def noun(self) -> str:
        return noun(self.module.__name__)


def noun(module: str) -> str:
    """Of a contract's module, which may be one of several that the noun has."""
    return module.removeprefix(f"{contracts.__name__}.").partition(".")[0]


def constants() -> list[Constant]:
    """Every subject of the engine, in the order of its declaration."""
    modules = [
        import_module(f"{contracts.__name__}.{found.name}") for found in pkgutil.iter_modules(contracts.__path__)
    ]
    return [
        Constant(module, name, value)
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, Subject)
    ]


def page() -> str:
    users = _users()
    owners: dict[str, dict[str, list[Constant]]] = defaultdict(lambda: defaultdict(list))
    for constant in constants():
        owners[constant.subject.owner][constant.noun].append(constant)
    sections = [_INTRODUCTION, _callers()]
    for owner, nouns in sorted(owners.items()):
        sections.append(f"## {owner}")
        sections += [_noun(found, users) for _, found in sorted(nouns.items())]
    return "\n\n".join(sections) + "\n"


def _callers() -> str:
    rows = [
        f"| {caller} | {', '.join([*sorted(called), *(f'`{name}`' for name in sorted(MAY_ASK.get(caller, ())))])} |"
        for caller, called in sorted(MAY_CALL.items())
    ]
    return "\n".join(["## Who may ask whom", "", "| service | may ask |", "|---|---|", *rows])


def _noun(found: list[Constant], users: dict[str, set[str]]) -> str:
    module = found[0].module
    title, _, about = _first_sentence(module).partition(": ")
    head = [f"### {title}", "", about[:1].upper() + about[1:], ""]
    head += ["| subject | carries | answer | asked or heard by | note |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(constant, users) for constant in found)])


def _row(constant: Constant, users: dict[str, set[str]]) -> str:
    match constant.subject:
        case Rpc(request=carries, reply=reply):
            answer = f"`{spelled(reply)}`"
        case Event(fact=carries) | Feed(item=carries):
            answer = ""
        case other:
            raise TypeError(f"{other!r} is no shape that this page knows")
    by = ", ".join(sorted(users[constant.subject.name])) or "–"
    cells = [f"`{constant.subject.name}`", f"`{spelled(carries)}`", answer, by, _first_sentence(carries)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _first_sentence(thing: Any) -> str:
    """Of its docstring, on one line; a Struct without one has nothing to add to its name."""
    paragraph = inspect.cleandoc(thing.__doc__ or "").split("\n\n")[0]
    sentence, stop, _ = " ".join(paragraph.split()).partition(". ")
    return sentence + stop.rstrip()


def spelled(type_: Any) -> str:
    """A type as its contract writes it."""
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(spelled, arguments))
    if origin is typing.Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(spelled, arguments))}]"
    if getattr(type_, "__module__", "").startswith(contracts.__name__ + "."):
        return f"{noun(type_.__module__)}.{type_.__name__}"
    return "None" if type_ is type(None) else getattr(type_, "__name__", str(type_))


def _users() -> dict[str, set[str]]:
    """Which services name a subject in their code, besides its owner."""
    names = {(constant.noun, constant.name): constant.subject for constant in constants()}
    users: dict[str, set[str]] = defaultdict(set)
    for source in sorted(_SERVICES.rglob("*.py")):
        service = source.relative_to(_SERVICES).parts[0]
        for mention in _mentions(ast.parse(source.read_text())):
            subject = names.get(mention)
            if subject is not None and subject.owner != service:
                users[subject.name].add(service)
    return users


def _mentions(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """`("runs", "START")` for every `runs.START`, by whatever name the contract's module was imported."""
    modules = {
        alias.asname or alias.name: alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == contracts.__name__
        for alias in node.names
    }
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in modules:
                yield modules[module], name


if __name__ == "__main__":
    sys.stdout.write(page())
