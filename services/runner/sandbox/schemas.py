"""JSON Schemas in the sandbox: a pattern or a reference can take for ever, and both are somebody's own."""

import functools
from typing import Any

import msgspec
from jsonschema import Draft202012Validator, SchemaError
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from services.runner.sandbox import Answered, Invalid, Refused, Valid

_LONGEST = 300


@functools.lru_cache(maxsize=256)
def _compiled(schema: bytes) -> Validator:
    """Raises SchemaError. Nothing is fetched: a reference leads to somewhere in the schema, or nowhere."""
    decoded: Any = msgspec.json.decode(schema)
    kind = validator_for(decoded, default=Draft202012Validator)
    kind.check_schema(decoded)
    return kind(decoded, registry=Registry())


def answer(schema: bytes, text: str | None) -> Answered:
    try:
        validator = _compiled(schema)
        if text is None:
            return Valid()
        error = best_match(validator.iter_errors(msgspec.json.decode(text)))
    except msgspec.DecodeError as broken:
        return Invalid("$", f"it is no JSON ({broken})")
    except SchemaError as wrong:
        return Refused(_cut(f"{wrong.json_path}: {wrong.message}"))
    except Unresolvable as lost:
        return Refused(_cut(f"the reference {lost.ref} leads nowhere"))
    except (MemoryError, RecursionError):
        return Refused("it is nested too deeply")
    return Valid() if error is None else Invalid(error.json_path, _cut(error.message))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
