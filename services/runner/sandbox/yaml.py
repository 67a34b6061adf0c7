"""YAML in the sandbox: an alias can stand for ever more, and deep nesting ends a process."""

import msgspec
import yaml

from services.runner.sandbox import LONGEST, Answered, Decoded, Refused


def answer(text: bytes) -> Answered:
    """As JSON: dates become texts, and numbers that are keys, too."""
    try:
        encoded = msgspec.json.encode(yaml.load(text, Loader=yaml.CSafeLoader))
    except (MemoryError, RecursionError):
        return Refused("it needs too much memory")
    except (yaml.YAMLError, TypeError, ValueError):
        return Refused("it is no YAML that JSON can say")
    return Decoded(encoded) if len(encoded) <= LONGEST else Refused("it is too long")
