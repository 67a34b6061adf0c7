"""feedback: how did it go? What it answers, hears and runs."""

from libs.bus import erased
from libs.bus.hear import Heard
from libs.contracts import analytics, automation_runs, calls, contacts, deliveries, feedback, runs, usage, workspaces
from libs.postgres.database import Connection
from libs.postgres.erasures import Erasures
from libs.runtime.service import Service, run
from libs.runtime.settings import Common
from services.feedback import analytics as figures
from services.feedback import erasing, ratings
from services.feedback import usage as counters
from services.feedback.analytics import Analytics
from services.feedback.feedback import Feedback
from services.feedback.ratings import Ratings


class Settings(Common, kw_only=True, frozen=True):
    pass


async def build(service: Service, settings: Settings) -> None:
    opinions = Feedback(service.database, service.bus)

    service.serve(feedback.CREATE, opinions.create)
    service.serve(feedback.GET, opinions.get)
    service.serve(feedback.PAGE, opinions.page)
    service.serve(feedback.UPDATE, opinions.update)
    service.serve(feedback.DELETE, opinions.delete)
    service.serve(feedback.OF, opinions.of)
    service.serve(feedback.RATINGS, Ratings(service.database).of)
    service.serve(usage.OF, counters.Usage(service.database).of)
    service.serve(analytics.OF, Analytics(service.database).of)

    async def finished(connection: Connection, heard: list[Heard[runs.RunFinished]]) -> None:
        await counters.count(connection, heard)
        await ratings.note(connection, heard)
        await figures.messages(connection, heard)

    service.hear(runs.FINISHED, finished)
    service.hear(automation_runs.STARTED, figures.automation_runs)
    service.hear(contacts.CREATED, figures.contacts_created)
    service.hear(calls.COUNTED, figures.api_calls)
    service.hear(deliveries.ARRIVED, figures.webhooks_delivered)
    service.hear(runs.ERASED, erased.of_runs)
    service.hear(workspaces.DELETED, erased.of_workspaces)
    service.hear(workspaces.EXPIRED, erased.of_expired)
    service.background("erasures", Erasures(service.database, erasing.STEPS).run)


if __name__ == "__main__":
    run("feedback", Settings, build)
