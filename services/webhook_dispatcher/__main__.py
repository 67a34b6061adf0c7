"""webhook_dispatcher: who is told? What it answers, hears and runs."""

from collections.abc import Sequence
from typing import Annotated

from msgspec import Meta

from libs.bus import erased
from libs.contracts import contacts, deliveries, documents, endpoints, errands, notifications, runs, workspaces
from libs.postgres.erasures import Erasures
from libs.runtime.service import Service, run
from libs.runtime.settings import Common
from services.webhook_dispatcher import erasing, listen, metrics, sockets
from services.webhook_dispatcher.attempt import Attempts
from services.webhook_dispatcher.deliveries import Deliveries
from services.webhook_dispatcher.dispatcher import Dispatcher
from services.webhook_dispatcher.endpoints import Endpoints, Secrets
from services.webhook_dispatcher.fan_outs import QUEUED, FanOuts
from services.webhook_dispatcher.heard import Heard
from services.webhook_dispatcher.mail import server
from services.webhook_dispatcher.mail.postman import QUEUED as MAIL_QUEUED
from services.webhook_dispatcher.mail.postman import Postman, post
from services.webhook_dispatcher.mail.sending import Sender
from services.webhook_dispatcher.notifications import Notifications
from services.webhook_dispatcher.room import Limits
from services.webhook_dispatcher.schedule import STEPS, parse_steps
from services.webhook_dispatcher.told import TOLD
from services.webhook_dispatcher.upkeep import Upkeep
from services.webhook_dispatcher.wakes import Wakes

Positive = Annotated[int, Meta(ge=1, description="a whole number from 1")]

# As many times the slots may be open when most of them hang.
_OPEN_TIMES = 8


class Settings(Common, kw_only=True, frozen=True):
    # Attempts at once in this process, to one endpoint, and in one workspace.
    delivery_slots: Positive = 256
    delivery_slots_each: Positive = 32
    delivery_slots_workspace: Positive = 128
    # How long an attempt may take, and the seconds before each further one.
    delivery_seconds: Annotated[float, Meta(gt=0, le=60, description="a number of seconds up to 60")] = 15.0
    delivery_retries: str = ",".join(f"{step:.0f}" for step in STEPS)
    deliveries_kept_days: Positive = 30
    # Where mail goes out, and from whom it is.
    smtp_url: str = ""
    mail_from: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            parse_steps(self.delivery_retries)
        except ValueError as wrong:
            raise ValueError(f"DELIVERY_RETRIES: {wrong}") from None
        try:
            if server.parse(self.smtp_url):
                server.check_sender(self.mail_from)
        except ValueError as wrong:
            raise ValueError(f"SMTP_URL, MAIL_FROM: {wrong}") from None
        if not self.master_keys:
            raise ValueError("MASTER_KEYS is missing: expected kid:base64 of 32 bytes, to keep endpoints' secrets with")


async def build(service: Service, settings: Settings) -> None:
    secrets = Secrets(service.sealer)
    registry = Endpoints(service.database, service.egress, secrets)
    log = Deliveries(service.database, service.egress)
    notices = Notifications(service.database)
    steps = parse_steps(settings.delivery_retries)
    attempts = Attempts(service.egress, secrets, seconds=settings.delivery_seconds, steps=steps)
    dispatcher = Dispatcher(
        service.database,
        attempts.attempt,
        limits=_limits(settings),
        heard=Heard(service.database, service.bus.heard),
        seconds=settings.delivery_seconds,
    )
    upkeep = Upkeep(service.database, kept_days=settings.deliveries_kept_days)
    await upkeep.once()
    service.observe(metrics.queue(service.database))

    service.serve(endpoints.CREATE, registry.create)
    service.serve(endpoints.PAGE, registry.page)
    service.serve(endpoints.UPDATE, registry.update)
    service.serve(endpoints.ROTATE, registry.rotate)
    service.serve(endpoints.DELETE, registry.delete)
    service.serve(deliveries.LATEST, log.latest)
    service.serve(deliveries.TEST, log.test)
    service.serve(deliveries.REDELIVER, log.redeliver)
    service.serve(notifications.PAGE, notices.page)
    service.serve(notifications.READ, notices.read)

    for told in TOLD:
        service.hear(told.event, told.tell, concerns=told.concerns)
    _erase(service)
    _send_mail(service, settings, steps)

    wakes = Wakes(service.bus, QUEUED)
    service.database.on_commit(QUEUED, dispatcher.wake)
    service.database.on_commit(QUEUED, wakes.wake)
    await service.bus.on_nudge(QUEUED, dispatcher.wake)
    service.background("wakes", wakes.run)
    service.background("fan-outs", FanOuts(service.database).run)
    service.background("dispatcher", dispatcher.run)
    service.background("in order", dispatcher.in_order.run)
    service.background("aside", dispatcher.run_aside)
    service.background("orphans", dispatcher.release)
    service.background("upkeep", upkeep.run)
    service.on_stop(dispatcher.drain)


def _limits(settings: Settings) -> Limits:
    slots = settings.delivery_slots
    most = sockets.allow(slots * _OPEN_TIMES)
    return Limits(slots, settings.delivery_slots_each, settings.delivery_slots_workspace, most)


def _erase(service: Service) -> None:
    service.hear(runs.ERASED, erased.of_runs)
    service.hear(documents.ERASED, erased.of_documents)
    service.hear(contacts.ERASED, erased.of_contacts)
    service.hear(workspaces.DELETED, erased.of_workspaces)
    service.hear(workspaces.EXPIRED, erased.of_expired)
    service.background("erasures", Erasures(service.database, erasing.STEPS).run)


def _send_mail(service: Service, settings: Settings, steps: Sequence[float]) -> None:
    sender = Sender(server.parse(settings.smtp_url), settings.mail_from, steps=steps)
    postman = Postman(service.database, sender.attempt)
    service.observe(metrics.mail(service.database))
    service.hear(errands.MAIL_ASKED, post(settings.mail_from))
    service.database.on_commit(MAIL_QUEUED, postman.wake)
    service.background("mail", postman.run)
    service.on_stop(postman.drain)


if __name__ == "__main__":
    run("webhook_dispatcher", Settings, build, {"listen": listen.main})
