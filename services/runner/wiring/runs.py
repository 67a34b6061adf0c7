"""Runs: accepted, begun or queued, generated, read, ended and erased."""

from libs.contracts import feed, runs
from services.runner.erasing import Erasing
from services.runner.providers.upstream import Upstream
from services.runner.runs.acceptance import Acceptance
from services.runner.runs.agent import Agent
from services.runner.runs.answers import Answers
from services.runner.runs.backlog import Backlog
from services.runner.runs.claims import Beginning, Claims
from services.runner.runs.drafts import Drafts
from services.runner.runs.ending import Ending
from services.runner.runs.feeds import Feeds
from services.runner.runs.fence import Fence
from services.runner.runs.generation import Generation
from services.runner.runs.holding import Holding
from services.runner.runs.journal import Journal
from services.runner.runs.lingering import Lingering
from services.runner.runs.previews import Previews
from services.runner.runs.reading import Reading
from services.runner.runs.reaper import Reaper
from services.runner.runs.recall import Recall
from services.runner.runs.records import Records
from services.runner.runs.running import Running
from services.runner.runs.settling import Settling
from services.runner.runs.starting import Starting, Stopping
from services.runner.store.queue import Queue
from services.runner.tools.toolbox import Toolbox
from services.runner.variants import Variants
from services.runner.versions import Versions
from services.runner.wiring.core import Core

# Starts that can wait for a refusal while all slots are taken.
_SPARE_SLOTS = 64


def wire(core: Core) -> None:
    service, database = core.service, core.service.database
    acceptance, holding = _acceptance(core), Holding(core.settings.run_slots)
    fence, settling = Fence(database, core.lease, holding), Settling(service, core.catalog)
    running = _running(core, holding, fence)
    beginning = Beginning(database, acceptance, holding, running, settling=settling)
    claims = _claims(core, holding, fence, beginning)
    reading, journal = Reading(database, service.bus, holding, fence), Journal(database, holding, service.instance)
    starting = Starting(acceptance, holding, journal, running, reading=reading, fence=fence, claims=claims)
    _serve_starts(core, starting, holding)
    _serve_reading(core, reading)
    _serve_ends(core, Stopping(service, holding, reading, settling))
    _serve_records(core)
    service.serve(runs.RENDER, Previews(service.bus, acceptance).render)
    service.background("fence", fence.keep)
    service.background("starts", journal.write_starts)
    service.background("frames", journal.write_frames)
    service.background("reaper", Reaper(database, core.lease, holding, settling, claims.tell).run)


def _acceptance(core: Core) -> Acceptance:
    database, changes = core.service.database, core.service.changes
    drafts = Drafts(Versions(database, changes, core.catalog, core.prompting), core.prompting)
    variants = Variants(database, changes)
    return Acceptance(core.catalog, variants, drafts, prompting=core.prompting, recall=Recall(database))


def _running(core: Core, holding: Holding, fence: Fence) -> Running:
    """What runs here: generated, published, followed, and brought to an end in time."""
    service, bus, upstream = core.service, core.service.bus, Upstream(core.service.egress)
    feeds, lingering = Feeds(bus, fence), Lingering(bus, holding, core.settings.linger_seconds)
    agent = Agent(upstream, feeds, Toolbox(bus, service.egress, core.schemas, feeds), core.schemas)
    generation = Generation(bus, agent, Answers(service.database, bus), feeds)
    running = Running(holding, generation, Ending(service, feeds), lingering)
    service.background("feeds", feeds.run)
    service.background("lingering", lingering.run)
    service.background("stopping", lambda: running.end_in_time(service.stopping, service.work_seconds))
    service.on_stop(upstream.close)
    service.on_stop(running.stop)
    return running


def _claims(core: Core, holding: Holding, fence: Fence, beginning: Beginning) -> Claims:
    """What waits to be run by any of the runners."""
    service, settings = core.service, core.settings
    queue = Queue(service.database, of_workspace=settings.claimed_per_workspace, of_model=settings.claimed_per_model)
    backlog = Backlog(queue, settings.queued_per_workspace)
    claims = Claims(service, holding, fence, beginning, queue=queue, backlog=backlog)
    service.background("claims", claims.run)
    service.on_stop(claims.stop)
    return claims


def _serve_starts(core: Core, starting: Starting, holding: Holding) -> None:
    service = core.service
    starts = service.serve(runs.START, starting.start, slots=core.settings.run_slots + _SPARE_SLOTS)
    service.serve(runs.ENQUEUE, starting.enqueue)
    service.background("queue of starts", lambda: holding.keep_queue(starts))


def _serve_reading(core: Core, reading: Reading) -> None:
    service = core.service
    service.serve(runs.GET, reading.get)
    service.serve(runs.PAGE, reading.page)
    service.serve(feed.FRAMES, reading.frames)
    service.serve(feed.HELD, reading.held, instance=True)


def _serve_ends(core: Core, stopping: Stopping) -> None:
    service = core.service
    service.serve(runs.CANCEL, stopping.cancel)
    service.serve(runs.STOP, stopping.stop, instance=True)
    service.serve(runs.DELETE, Erasing(service.database, stopping).delete)


def _serve_records(core: Core) -> None:
    records = Records(core.service.database, core.catalog)
    core.service.serve(runs.RECORD, records.record)
    core.service.serve(runs.AMEND, records.amend)
