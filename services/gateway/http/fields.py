"""Fields as a voice's bodies call them, in the Faults of services that call them otherwise."""

from collections.abc import Generator
from contextlib import contextmanager

from libs.contracts.faults import Fault


@contextmanager
def called(**names: str) -> Generator[None]:
    """`called(urls="files")`: a Fault about `urls[1]` speaks of `files[1]`."""
    try:
        yield
    except Fault as fault:
        for ours, theirs in names.items():
            if fault.field is not None and fault.field.startswith(ours):
                field = theirs + fault.field.removeprefix(ours)
                raise Fault(fault.code, fault.message, field=field, retry_after=fault.retry_after) from None
        raise
