"""The runner: what it serves, and what it does in the background and at its stop."""

from libs.bus import erased
from libs.contracts import (
    actions,
    apps,
    automations,
    contacts,
    datasets,
    documents,
    evals,
    experiments,
    feed,
    finetunes,
    models,
    runs,
    sessions,
    tools,
    workspaces,
)
from libs.postgres.erasures import Erasures
from libs.postgres.leases import Lease
from libs.runtime.service import Service, run
from services.runner import erasing, metrics
from services.runner.actions import Actions
from services.runner.apps import Apps
from services.runner.automations import happenings, hearing
from services.runner.automations.beginning import Triggering
from services.runner.automations.registry import Automations
from services.runner.automations.requests import Requests
from services.runner.automations.schedules import Schedules, timezone_changed
from services.runner.automations.soundness import Soundness
from services.runner.automations.steps import Steps as AutomationSteps
from services.runner.automations.working import Working as Automating
from services.runner.automations.working import answered, awaited
from services.runner.catalog import Catalog
from services.runner.datasets import Datasets
from services.runner.erasing import Erasing
from services.runner.evals.checks import Checks
from services.runner.evals.registry import Evals
from services.runner.evals.steps import Steps
from services.runner.evals.working import Working as Trying
from services.runner.experiments import Experiments
from services.runner.finetunes.registry import Finetunes
from services.runner.finetunes.working import Endpoints
from services.runner.finetunes.working import Working as Training
from services.runner.installation import put_built_in_tools, put_default_model
from services.runner.keys import Keys
from services.runner.models import Models
from services.runner.prices import Prices
from services.runner.prompting.patterns import Patterns
from services.runner.prompting.prompts import Prompting
from services.runner.prompting.rendering import Renderer
from services.runner.prompting.schemas import Schemas
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
from services.runner.sessions import Sessions
from services.runner.settings import Settings
from services.runner.store.queue import Queue
from services.runner.tools.registry import Tools
from services.runner.tools.toolbox import Toolbox
from services.runner.upkeep import Upkeep
from services.runner.variants import Variants
from services.runner.vendors import Vendors
from services.runner.versions import Deploying, Versions

# Starts that can wait for a refusal while all slots are taken.
_SPARE_SLOTS = 64


async def build(service: Service, settings: Settings) -> None:
    database = service.database
    keys, renderer, schemas, upkeep = Keys(lambda: service.sealer), Renderer(), Schemas(), Upkeep(database)
    prompting = Prompting(renderer)
    catalog = Catalog(database, service.changes, prompting, keys, prices=Prices.of(settings.prices))
    drafts = Drafts(Versions(database, service.changes, catalog, prompting), prompting)
    await upkeep.once()
    await put_default_model(database, keys, settings)
    await put_built_in_tools(database)

    lease = Lease(database, service.instance, service.instance)
    await lease.renew()
    service.background("lease", lease.run)
    service.background("upkeep", upkeep.run)
    service.background("erasures", Erasures(database, erasing.STEPS).run)
    # What is named first is ended last: an instance lives while it has runs.
    service.on_stop(lease.release)
    service.on_stop(renderer.close)
    service.on_stop(schemas.close)
    service.observe(metrics.queue(database))
    _hear(service)
    _serve_nouns(service, catalog, prompting, keys, schemas=schemas)
    _serve_trials(service, catalog, lease, schemas=schemas)
    _serve_finetunes(service, settings, catalog, keys, lease=lease)
    _serve_automations(service, catalog, keys, lease, renderer=renderer)
    variants = Variants(database, service.changes)
    acceptance = Acceptance(catalog, variants, drafts, prompting=prompting, recall=Recall(database))
    _serve_runs(service, settings, acceptance, lease, schemas=schemas)


def _hear(service: Service) -> None:
    service.hear(documents.ERASED, erased.of_documents)
    service.hear(workspaces.DELETED, erased.of_workspaces)
    service.hear(workspaces.EXPIRED, erased.of_expired)
    service.hear(workspaces.TIMEZONE_CHANGED, timezone_changed)
    service.hear(contacts.ERASED, erased.of_contacts)
    service.hear(runs.FINISHED, answered, concerns=awaited)
    for event, tell in happenings.HEARD:
        service.hear(event, hearing.setting_off(tell), concerns=hearing.concerning(tell))


def _serve_nouns(service: Service, catalog: Catalog, prompting: Prompting, keys: Keys, *, schemas: Schemas) -> None:
    database, vendors = service.database, Vendors(service.database, catalog, service.egress, keys)
    session, model = Sessions(database, catalog), Models(database, catalog, vendors)
    action = Actions(database, service.bus, catalog, prompting, schemas=schemas)
    app, deploying = Apps(database, catalog, action), Deploying(database, catalog, action)
    tool = Tools(service, catalog, keys, schemas)
    service.serve(apps.CREATE, app.create)
    service.serve(apps.GET, app.get)
    service.serve(apps.FIND, app.find)
    service.serve(apps.PAGE, app.page)
    service.serve(apps.UPDATE, app.update)
    service.serve(apps.DELETE, app.delete)
    service.serve(actions.CREATE, action.create)
    service.serve(actions.GET, action.get)
    service.serve(actions.FIND, action.find)
    service.serve(actions.PAGE, action.page)
    service.serve(actions.OF, action.of)
    service.serve(actions.UPDATE, action.update)
    service.serve(actions.DELETE, action.delete)
    service.serve(actions.VERSIONS, deploying.page)
    service.serve(actions.DEPLOY, deploying.deploy)
    service.serve(actions.DISABLE, deploying.disable)
    service.serve(models.CREATE, model.create)
    service.serve(models.GET, model.get)
    service.serve(models.FIND, model.find)
    service.serve(models.PAGE, model.page)
    service.serve(models.UPDATE, model.update)
    service.serve(models.DELETE, model.delete)
    service.serve(models.CREATE_PROVIDER, vendors.create)
    service.serve(models.PAGE_PROVIDERS, vendors.page)
    service.serve(models.UPDATE_PROVIDER, vendors.update)
    service.serve(models.DELETE_PROVIDER, vendors.delete)
    service.serve(models.VALIDATE, vendors.validate)
    service.serve(sessions.CREATE, session.create)
    service.serve(sessions.GET, session.get)
    service.serve(sessions.CONTINUE, session.go_on)
    service.serve(sessions.PAGE, session.page)
    service.serve(sessions.DELETE, session.delete)
    service.serve(tools.CREATE, tool.create)
    service.serve(tools.GET, tool.get)
    service.serve(tools.PAGE, tool.page)
    service.serve(tools.UPDATE, tool.update)
    service.serve(tools.DELETE, tool.delete)
    service.serve(tools.DISCOVER, tool.discover)


def _serve_trials(service: Service, catalog: Catalog, lease: Lease, *, schemas: Schemas) -> None:
    """What tells which of several actions is better."""
    database, patterns = service.database, Patterns()
    checks = Checks(service.bus, schemas, patterns)
    experiment, dataset, evaluation = (
        Experiments(database, catalog),
        Datasets(database),
        Evals(database, catalog, checks),
    )
    trying = Trying(database, lease, Steps(database, service.bus, checks))
    service.serve(experiments.CREATE, experiment.create)
    service.serve(experiments.GET, experiment.get)
    service.serve(experiments.PAGE, experiment.page)
    service.serve(experiments.UPDATE, experiment.update)
    service.serve(experiments.DELETE, experiment.delete)
    service.serve(experiments.RESULTS, experiment.results)
    service.serve(datasets.CREATE, dataset.create)
    service.serve(datasets.GET, dataset.get)
    service.serve(datasets.PAGE, dataset.page)
    service.serve(datasets.UPDATE, dataset.update)
    service.serve(datasets.DELETE, dataset.delete)
    service.serve(datasets.EXPORT, dataset.export)
    service.serve(evals.CREATE, evaluation.create)
    service.serve(evals.GET, evaluation.get)
    service.serve(evals.PAGE, evaluation.page)
    service.serve(evals.UPDATE, evaluation.update)
    service.serve(evals.DELETE, evaluation.delete)
    service.serve(evals.START, evaluation.start)
    service.serve(evals.TRIAL, evaluation.trial)
    service.serve(evals.TRIALS, evaluation.trials)
    service.serve(evals.ROWS, evaluation.rows)
    service.background("trials", trying.shift.run)
    service.on_stop(patterns.close)
    service.on_stop(trying.shift.stop)


def _serve_finetunes(service: Service, settings: Settings, catalog: Catalog, keys: Keys, *, lease: Lease) -> None:
    database, endpoints = service.database, Endpoints(service.database, service.egress, keys)
    models_of = Models(database, catalog, Vendors(database, catalog, service.egress, keys))
    finetune = Finetunes(database, endpoints)
    training = Training(database, lease, endpoints, models_of, seconds=settings.finetune_seconds)
    service.serve(finetunes.CREATE, finetune.create)
    service.serve(finetunes.GET, finetune.get)
    service.serve(finetunes.PAGE, finetune.page)
    service.serve(finetunes.UPDATE, finetune.update)
    service.serve(finetunes.DELETE, finetune.delete)
    service.serve(finetunes.PROCESS, finetune.process)
    service.background("fine-tunes", training.shift.run)
    service.on_stop(training.shift.stop)


def _serve_automations(service: Service, catalog: Catalog, keys: Keys, lease: Lease, *, renderer: Renderer) -> None:
    database, egress = service.database, service.egress
    automation = Automations(database, keys, Soundness(catalog, egress, renderer))
    triggering = Triggering(database)
    automating = Automating(service, lease, AutomationSteps(database, service.bus, Requests(egress, keys)), renderer)
    service.serve(automations.CREATE, automation.create)
    service.serve(automations.GET, automation.get)
    service.serve(automations.PAGE, automation.page)
    service.serve(automations.UPDATE, automation.update)
    service.serve(automations.DELETE, automation.delete)
    service.serve(automations.TRIGGER, triggering.trigger)
    service.serve(automations.RUN, triggering.run)
    service.serve(automations.RUNS, triggering.runs)
    service.observe(metrics.steps(database))
    service.background("schedules", Schedules(database).run)
    service.background("automations", automating.shift.run)
    service.on_stop(automating.shift.stop)


def _serve_runs(
    service: Service, settings: Settings, acceptance: Acceptance, lease: Lease, *, schemas: Schemas
) -> None:
    database, bus, instance = service.database, service.bus, service.instance
    holding, upstream = Holding(settings.run_slots), Upstream(service.egress)
    fence = Fence(database, lease, holding)
    feeds, settling = Feeds(bus, fence), Settling(service, acceptance.catalog)
    journal, ending = Journal(database, holding, instance), Ending(service, feeds)
    reading, lingering = Reading(database, bus, holding, fence), Lingering(bus, holding, settings.linger_seconds)
    agent = Agent(upstream, feeds, Toolbox(bus, service.egress, schemas, feeds), schemas)
    running = Running(holding, Generation(bus, agent, Answers(database, bus), feeds), ending, lingering)
    beginning = Beginning(database, acceptance, holding, running, settling=settling)
    queue = Queue(database, of_workspace=settings.claimed_per_workspace, of_model=settings.claimed_per_model)
    backlog = Backlog(queue, settings.queued_per_workspace)
    claims = Claims(service, holding, fence, beginning, queue=queue, backlog=backlog)
    reaper = Reaper(database, lease, holding, settling, claims.tell)
    starting = Starting(acceptance, holding, journal, running, reading=reading, fence=fence, claims=claims)
    stopping = Stopping(service, holding, reading, settling)
    starts = service.serve(runs.START, starting.start, slots=settings.run_slots + _SPARE_SLOTS)
    records = Records(database, acceptance.catalog)
    service.serve(runs.RECORD, records.record)
    service.serve(runs.AMEND, records.amend)
    service.serve(runs.ENQUEUE, starting.enqueue)
    service.serve(runs.RENDER, Previews(bus, acceptance).render)
    service.serve(runs.GET, reading.get)
    service.serve(runs.PAGE, reading.page)
    service.serve(feed.FRAMES, reading.frames)
    service.serve(feed.HELD, reading.held, instance=True)
    service.serve(runs.CANCEL, stopping.cancel)
    service.serve(runs.DELETE, Erasing(database, stopping).delete)
    service.serve(runs.STOP, stopping.stop, instance=True)
    service.background("fence", fence.keep)
    service.background("queue of starts", lambda: holding.keep_queue(starts))
    service.background("feeds", feeds.run)
    service.background("starts", journal.write_starts)
    service.background("frames", journal.write_frames)
    service.background("claims", claims.run)
    service.background("reaper", reaper.run)
    service.background("lingering", lingering.run)
    service.background("stopping", lambda: running.end_in_time(service.stopping, service.work_seconds))
    service.on_stop(upstream.close)
    service.on_stop(running.stop)
    service.on_stop(claims.stop)


if __name__ == "__main__":
    run("runner", Settings, build)
