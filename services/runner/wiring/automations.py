"""Automations, and what sets them off by hand and by the clock; events do in `hearing`."""

from libs.contracts import automation_runs, automations
from services.runner import metrics
from services.runner.automations.beginning import Triggering
from services.runner.automations.registry import Automations
from services.runner.automations.requests import Requests
from services.runner.automations.schedules import Schedules
from services.runner.automations.soundness import Soundness
from services.runner.automations.steps import Steps
from services.runner.automations.working import Working
from services.runner.wiring.core import Core


def wire(core: Core) -> None:
    service, database, egress = core.service, core.service.database, core.service.egress
    automation = Automations(database, core.keys, Soundness(core.catalog, egress, core.renderer))
    triggering = Triggering(database)
    steps = Steps(database, service.bus, Requests(egress, core.keys))
    automating = Working(service, core.lease, steps, core.renderer)
    service.serve(automations.CREATE, automation.create)
    service.serve(automations.GET, automation.get)
    service.serve(automations.PAGE, automation.page)
    service.serve(automations.UPDATE, automation.update)
    service.serve(automations.DELETE, automation.delete)
    service.serve(automation_runs.TRIGGER, triggering.trigger)
    service.serve(automation_runs.GET, triggering.run)
    service.serve(automation_runs.PAGE, triggering.runs)
    service.observe(metrics.steps(database))
    service.background("schedules", Schedules(database).run)
    service.background("automations", automating.shift.run)
    service.on_stop(automating.shift.stop)
