"""Runs: one execution of an action, from its inputs to the generated answer. Klu calls a finished one a data point.

Owner: runner. What happens in a run is told as frames (libs.contracts.feed); what it came to is the Run.
"""

from libs.contracts.paging import Page
from libs.contracts.runs.facts import CHAIN, RunFinished, RunsErased, chain_of
from libs.contracts.runs.messages import Image, Message, ToolCall
from libs.contracts.runs.records import AmendRun, RecordRun
from libs.contracts.runs.run import ENDED, GetRun, PageRuns, Run, Source, Status, Usage
from libs.contracts.runs.starting import ARIA, OF_AUTOMATIONS, OF_EVALS, OWN_VOICES, Draft, Mode, Rendered, StartRun
from libs.contracts.subjects import Event, Rpc

__all__ = [
    "AMEND",
    "ARIA",
    "CANCEL",
    "CHAIN",
    "DELETE",
    "ENDED",
    "ENQUEUE",
    "ERASED",
    "FINISHED",
    "GET",
    "OF_AUTOMATIONS",
    "OF_EVALS",
    "OWN_VOICES",
    "PAGE",
    "RECORD",
    "RENDER",
    "START",
    "STOP",
    "AmendRun",
    "Draft",
    "GetRun",
    "Image",
    "Message",
    "Mode",
    "PageRuns",
    "RecordRun",
    "Rendered",
    "Run",
    "RunFinished",
    "RunsErased",
    "Source",
    "StartRun",
    "Status",
    "ToolCall",
    "Usage",
    "chain_of",
]


class _Started(Rpc[StartRun, Run]):
    def may_repeat(self, request: StartRun) -> bool:
        """What is committed before it is accepted is one run. A blocking one's answer is not late: the run goes on."""
        return request.mode is Mode.ASYNC or (request.durable and request.mode is Mode.STREAMING)


class _Enqueued(Rpc[StartRun, Run]):
    def may_repeat(self, request: StartRun) -> bool:
        """It is committed before it is accepted, under an id that its caller minted."""
        return True


START = _Started("rpc.runner.runs.start", StartRun, Run)
RECORD = Rpc("rpc.runner.runs.record", RecordRun, Run)
AMEND = Rpc("rpc.runner.runs.amend", AmendRun, Run)
ENQUEUE = _Enqueued("rpc.runner.runs.enqueue", StartRun, Run)
RENDER = Rpc("rpc.runner.runs.render", StartRun, Rendered)
GET = Rpc("rpc.runner.runs.get", GetRun, Run)
PAGE = Rpc("rpc.runner.runs.page", PageRuns, Page[Run])
CANCEL = Rpc("rpc.runner.runs.cancel", GetRun, Run)
STOP = Rpc("rpc.runner.runs.stop", GetRun, Run)
DELETE = Rpc("rpc.runner.runs.delete", GetRun, Run)
FINISHED = Event("event.runner.runs.finished", RunFinished)
ERASED = Event("event.runner.runs.erased", RunsErased)
