"""Tools as runs need them: with their headers opened, and as a model is offered them."""

from collections.abc import Sequence

from msgspec import Struct

from libs.contracts.faults import Code, Fault
from libs.contracts.runs import StartRun
from libs.contracts.tools import Offered, Tool

AUTO, NONE, REQUIRED = "auto", "none", "required"
CHOICES = frozenset({AUTO, NONE, REQUIRED})
ROUNDS, MOST_ROUNDS = 8, 50


class Ready(Struct, frozen=True):
    """`headers` are secret."""

    tool: Tool
    headers: dict[str, str]

    @property
    def offered(self) -> Offered:
        return Offered(self.tool.name, self.tool.description, self.tool.parameters)


class Toolkit(Struct, frozen=True):
    """What the model of one run may call. `ours` are called here, `theirs` by whoever started the run."""

    ours: dict[str, Ready] = {}
    theirs: dict[str, Offered] = {}
    choice: str = AUTO
    rounds: int = ROUNDS

    @property
    def offered(self) -> list[Offered]:
        return [*(ready.offered for ready in self.ours.values()), *self.theirs.values()]


def toolkit(ours: Sequence[Ready], request: StartRun, rounds: int | None) -> Toolkit:
    """Raises Fault INVALID for two tools of one name, and for a choice of none that there is."""
    if not ours and not request.tools and request.tool_choice in (None, AUTO, NONE):
        return Toolkit()
    kit = Toolkit({ready.tool.name: ready for ready in ours}, {tool.name: tool for tool in request.tools})
    different([*(ready.tool.name for ready in ours), *(tool.name for tool in request.tools)])
    choice = request.tool_choice or AUTO
    if choice not in CHOICES | kit.ours.keys() | kit.theirs.keys() or (choice == REQUIRED and not kit.offered):
        raise Fault(Code.INVALID, f"There is no tool {choice!r} to choose.", field="tool_choice")
    return Toolkit(kit.ours, kit.theirs, choice, min(max(rounds or ROUNDS, 1), MOST_ROUNDS))


def different(names: Sequence[str]) -> None:
    """Raises Fault INVALID where two tools have the same name: a model could not tell them apart."""
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise Fault(Code.INVALID, f"There are two tools named {twice!r}: rename one.", field="tools")


def named(kit: Toolkit, name: str) -> Ready:
    """Raises Fault NOT_FOUND, in words for the model."""
    if (ready := kit.ours.get(name)) is None:
        known = ", ".join(tool.name for tool in kit.offered)
        raise Fault(Code.NOT_FOUND, f"there is no such tool; the tools are {known}")
    return ready
