"""Patterns: regular expressions that workspaces write, searched for in a process of their own.

A pattern can backtrack for ever; then that process is ended, and nothing else waits for it meanwhile.
"""

from libs.contracts.faults import Code, Fault
from services.runner import sandbox
from services.runner.sandbox.parent import Child

_LONGEST = 10_000


class Patterns:
    def __init__(self) -> None:
        self._child = Child()

    async def check(self, pattern: str, field: str) -> None:
        """Raises Fault INVALID for what is no pattern."""
        if len(pattern) > _LONGEST:
            raise Fault(Code.INVALID, f"A pattern has at most {_LONGEST:,} characters.", field=field)
        answer = await self._child.ask(sandbox.Match(pattern))
        if isinstance(answer, sandbox.Refused):
            raise Fault(Code.INVALID, f"This is no regular expression: {answer.reason}.", field=field)

    async def found(self, pattern: str, text: str) -> bool:
        """Raises Fault INVALID where nobody can tell, in the time that there is."""
        answer = await self._child.ask(sandbox.Match(pattern, text))
        if isinstance(answer, sandbox.Refused):
            raise Fault(Code.INVALID, f"It can't be told whether the pattern is found: {answer.reason}.")
        return isinstance(answer, sandbox.Valid)

    async def close(self) -> None:
        await self._child.close()
