"""JSON Schemas: of tools' parameters, and of answers. They are checked and kept to in the sandbox."""

from typing import Any

import msgspec

from libs.contracts.faults import Code, Fault
from services.runner import sandbox
from services.runner.sandbox.parent import Child

LARGEST = 256 * 1024
_encoder = msgspec.json.Encoder()


class Schemas:
    def __init__(self) -> None:
        self._child = Child()

    async def check(self, schema: dict[str, Any], field: str) -> None:
        """Raises Fault INVALID for what is no JSON Schema, or is too large."""
        encoded = _encoder.encode(schema)
        if len(encoded) > LARGEST:
            raise Fault(Code.INVALID, f"A JSON Schema has at most {LARGEST:,} bytes.", field=field)
        answer = await self._child.ask(sandbox.Validate(encoded))
        if isinstance(answer, sandbox.Refused):
            raise Fault(Code.INVALID, f"This is no valid JSON Schema: {answer.reason}.", field=field)

    async def misfit(self, schema: dict[str, Any], text: str) -> str | None:
        """Where and why this JSON text does not fit; None where it does. Raises Fault INVALID where nobody can tell."""
        match await self._child.ask(sandbox.Validate(_encoder.encode(schema), text)):
            case sandbox.Valid():
                return None
            case sandbox.Invalid(path, reason):
                return f"{path}: {reason}"
            case answer:
                reason = answer.reason if isinstance(answer, sandbox.Refused) else "there is no answer"
                raise Fault(Code.INVALID, f"It can't be told whether this fits its JSON Schema: {reason}.")

    async def close(self) -> None:
        await self._child.close()
