"""Questions: what was asked in a run, as one text."""

import msgspec

from libs.contracts.runs import Run


def asked(run: Run) -> str:
    """The last thing said to the model; of a data point that was written by hand its input: a text, the only value, or
    all of them as JSON.
    """
    if run.prompt:
        return run.prompt[-1].content
    match run.inputs:
        case str(text):
            return text
        case {**values} if len(values) == 1 and isinstance(only := next(iter(values.values())), str):
            return only
        case values:
            return msgspec.json.encode(values).decode()
