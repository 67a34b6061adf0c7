"""Does with a Python SDK what it is told: a call on each line of the input, what came of it on each line of the output.

{"call": "actions.prompt", "args": [...], "kwargs": {...}} is answered with {"value": ...} or {"error": ..., "message"}.
An answer that streams is read to its end, as `tokens`. Runs in the SDK's own environment.
"""

import asyncio
import dataclasses
import importlib
import json
import os
import sys
from functools import reduce


async def called(client, call):
    method = reduce(getattr, call["call"].split("."), client)
    answer = await method(*map(made, call["args"]), **{name: made(value) for name, value in call["kwargs"].items()})
    if not getattr(answer, "sse_client", None):
        return plain(answer)
    tokens = [token async for token in answer.tokens]
    return {"msg": answer.msg, "data_guid": answer.data_guid, "tokens": tokens}


def made(value):
    """{"$type": "klu.context.models.FileData", ...} is such an object."""
    if isinstance(value, list):
        return [made(item) for item in value]
    if not isinstance(value, dict) or "$type" not in value:
        return value
    module, _, name = value["$type"].rpartition(".")
    fields = {key: item for key, item in value.items() if key != "$type"}
    return getattr(importlib.import_module(module), name)(**fields)


def plain(value):
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name, None)) for field in dataclasses.fields(value)}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


async def main():
    client = importlib.import_module("klu").Klu(os.environ["KLU_API_KEY"])
    for line in sys.stdin:
        try:
            answer = {"value": await called(client, json.loads(line))}
        except Exception as error:  # an SDK's failure is an answer like any other
            answer = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps(answer, default=str), flush=True)


asyncio.run(main())
