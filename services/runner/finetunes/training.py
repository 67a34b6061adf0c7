"""Training files: the data points of a dataset as lines of JSON, each a chat that ends with the answer to learn.

That is the format of OpenAI's fine-tuning endpoint, and of those that are compatible with it.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from libs.contracts import runs
from libs.contracts.datasets import GetDataset
from libs.contracts.faults import Code, Fault
from libs.contracts.paging import Slice
from libs.postgres.database import Database
from services.runner import questions
from services.runner.store import datasets
from services.runner.store import runs as stored

LARGEST = 64 * 1024 * 1024
_PAGE = 500


class Turn(Struct, frozen=True):
    role: str
    content: str


class Example(Struct, frozen=True):
    messages: list[Turn]


_encoder = msgspec.json.Encoder()


async def lines(database: Database, asked: GetDataset) -> bytes:
    """Oldest last. Raises Fault NOT_FOUND for a dataset that is none, TOO_LARGE for more than 64 MiB."""
    dataset = await datasets.TABLE.get(database, asked.workspace_id, asked.dataset_id)
    body, offset = bytearray(), 0
    while True:
        wanted = runs.PageRuns(dataset.workspace_id, dataset_id=dataset.id, slice=Slice(offset, _PAGE))
        page = await stored.page(database, wanted)
        for example in examples(page.items):
            body += _encoder.encode(example) + b"\n"
        if len(body) > LARGEST:
            raise Fault(Code.TOO_LARGE, f"The training file would have more than {LARGEST:,} bytes.")
        offset += _PAGE
        if offset >= page.total:
            return bytes(body)


def examples(points: Iterable[runs.Run]) -> list[Example]:
    """Those that have an answer, and no calls of tools on the way to it: what a tool said is no answer to learn."""
    return [_example(point) for point in points if point.output and not any(map(_of_tools, point.prompt))]


def _example(point: runs.Run) -> Example:
    asked = [Turn(turn.role, turn.content) for turn in point.prompt] or [Turn("user", questions.asked(point))]
    return Example([*asked, Turn("assistant", point.output)])


def _of_tools(turn: runs.Message) -> bool:
    return turn.role == "tool" or bool(turn.calls)
