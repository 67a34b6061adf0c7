"""What a generation's parameters may be, whatever the provider: what can't be meant is refused before it is stored."""

from libs.contracts.actions import Parameters
from libs.contracts.faults import Code, Fault
from services.runner.tools.ready import MOST_ROUNDS

_BOUNDS: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "max_tokens": (1, 10_000_000),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "retries": (0, 10),
    "timeout": (0.1, 3600),
    "seed": (-(2**63), 2**63 - 1),
    "tool_rounds": (1, MOST_ROUNDS),
    "top_logprobs": (0, 20),
}


def check(parameters: Parameters) -> None:
    """Raises Fault INVALID that names the parameter."""
    for name, (low, high) in _BOUNDS.items():
        value = getattr(parameters, name)
        # Written so that NaN is refused, too.
        if value is not None and not low <= value <= high:
            field = f"parameters.{name}"
            raise Fault(Code.INVALID, f"{name} must be between {low:,} and {high:,}.", field=field)
    if parameters.stop and not all(parameters.stop):
        raise Fault(Code.INVALID, "A text to stop at must not be empty.", field="parameters.stop")
