"""Training files: the data points of a dataset as lines of JSON, each a chat that ends with the answer to learn.

That is the format of OpenAI's fine-tuning endpoint, and of those that are compatible with it.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from libs.contracts.datasets import GetDataset
from libs.contracts.faults import Code, Fault
from libs.contracts.runs import Message, Run
from libs.postgres.database import Database
from services.runner import questions
from services.runner.runs.frames import answered_straight
from services.runner.store import datasets
from services.runner.store import runs as stored
from services.runner.store.runs import Kept

LARGEST = 64 * 1024 * 1024
_PAGE = 100


class Turn(Struct, frozen=True):
    role: str
    content: str


class Example(Struct, frozen=True):
    messages: list[Turn]


_encoder = msgspec.json.Encoder()


async def lines(database: Database, asked: GetDataset) -> bytes:
    """Oldest last. Raises Fault NOT_FOUND for a dataset that is none, TOO_LARGE for more than 64 MiB."""
    dataset = await datasets.TABLE.get(database, asked.workspace_id, asked.dataset_id)
    body, last = bytearray(), None
    while points := await stored.of_dataset(database, dataset.workspace_id, dataset.id, before=last, limit=_PAGE):
        for example in examples(points):
            body += _encoder.encode(example) + b"\n"
        if len(body) > LARGEST:
            raise Fault(Code.TOO_LARGE, f"The training file would have more than {LARGEST:,} bytes.")
        last = points[-1].run.id
    return bytes(body)


def examples(points: Iterable[Kept]) -> list[Example]:
    """Those that have an answer, and no calls of tools on the way to it: what a tool said is no answer to learn."""
    return [_example(point.run) for point in points if point.run.output and _plain(point)]


def _plain(point: Kept) -> bool:
    """Tools may have been called in the run, or by whoever started it, in the turns before."""
    return point.frames is not None and answered_straight(point.frames) and not any(map(_of_tools, point.run.prompt))


def _example(point: Run) -> Example:
    asked = [Turn(turn.role, turn.content) for turn in point.prompt] or [Turn("user", questions.asked(point))]
    return Example([*asked, Turn("assistant", point.output)])


def _of_tools(turn: Message) -> bool:
    return turn.role == "tool" or bool(turn.calls)
