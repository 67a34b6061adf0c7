"""What the runner hears, and what it does on it."""

from libs.bus import erased
from libs.contracts import contacts, documents, runs, workspaces
from libs.postgres.erasures import Erasures
from services.runner import erasing
from services.runner.automations import happenings, hearing
from services.runner.automations.schedules import timezone_changed
from services.runner.automations.working import answered, awaited
from services.runner.wiring.core import Core


def wire(core: Core) -> None:
    service = core.service
    service.hear(documents.ERASED, erased.of_documents)
    service.hear(contacts.ERASED, erased.of_contacts)
    service.hear(workspaces.DELETED, erased.of_workspaces)
    service.hear(workspaces.EXPIRED, erased.of_expired)
    service.hear(workspaces.TIMEZONE_CHANGED, timezone_changed)
    service.hear(runs.FINISHED, answered, concerns=awaited)
    for event, tell in happenings.HEARD:
        service.hear(event, hearing.setting_off(tell), concerns=hearing.concerning(tell))
    service.background("erasures", Erasures(service.database, erasing.STEPS).run)
