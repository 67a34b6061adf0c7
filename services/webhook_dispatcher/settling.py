"""Settling: what follows from attempts for their deliveries, their endpoints, and those who own them.

Owner: webhook_dispatcher. All of it commits together, so a delivery never fails without a notice.
"""

from collections.abc import Sequence, Set
from datetime import UTC, datetime
from uuid import UUID

from libs.contracts import ids
from libs.contracts.deliveries import ARRIVED, DeliveriesArrived
from libs.contracts.endpoints import DISABLED, EndpointDisabled
from libs.postgres import outbox
from libs.postgres.database import Connection
from services.webhook_dispatcher import notices, payloads
from services.webhook_dispatcher.fan_outs import QUEUED, begin
from services.webhook_dispatcher.notices import Disabled, Failed
from services.webhook_dispatcher.outcome import Outcome
from services.webhook_dispatcher.store import deliveries, endpoints, notifications, queue

# An endpoint is given up on when it has failed for so long, and a delivery has used up its schedule meanwhile.
PATIENCE_DAYS = 5


async def settle(connection: Connection, outcomes: list[Outcome]) -> None:
    await deliveries.add_attempts(connection, outcomes)
    arrived = [outcome for outcome in outcomes if outcome.delivered]
    missed = [outcome for outcome in outcomes if not outcome.delivered]
    if arrived:
        await _arrived(connection, arrived)
    if missed:
        await _missed(connection, missed, answers={outcome.endpoint_id for outcome in arrived})


async def _arrived(connection: Connection, arrived: Sequence[Outcome]) -> None:
    counts = await queue.delivered(connection, [outcome.delivery_id for outcome in arrived])
    recovered = await endpoints.answers(connection, {outcome.endpoint_id for outcome in arrived})
    if recovered:
        await queue.quicken(connection, recovered)
        connection.wake_after(QUEUED)
    if counts:
        facts = [DeliveriesArrived(workspace_id, number) for workspace_id, number in counts.items()]
        await outbox.state(connection, ARRIVED, facts)


async def _missed(connection: Connection, missed: Sequence[Outcome], *, answers: Set[UUID]) -> None:
    failed = await queue.failed(connection, missed)
    await endpoints.fails(connection, {outcome.endpoint_id for outcome in missed} - answers)
    if failed:
        await _conclude(connection, failed, gone={outcome.delivery_id for outcome in missed if outcome.gone})


async def _conclude(connection: Connection, failed: Sequence[Failed], *, gone: set[UUID]) -> None:
    """Deliveries have failed for good: whose endpoint is disabled needs no notice of each."""
    left = await endpoints.disable(connection, {each.endpoint_id for each in failed if each.id in gone})
    dead = await endpoints.disable_dead(connection, {each.endpoint_id for each in failed}, days=PATIENCE_DAYS)
    today = datetime.now(UTC).date()
    told = list(notices.of_failed([each for each in failed if each.id not in gone], day=today))
    told += [notices.of_disabled(each, notices.GONE, day=today) for each in left]
    told += [notices.of_disabled(each, notices.DEAD, day=today) for each in dead]
    await notifications.tell(connection, told)
    await _state(connection, [*left, *dead])


async def _state(connection: Connection, disabled: Sequence[Disabled]) -> None:
    """To the workspace's other endpoints, and to the other services, as an event like any other."""
    at = datetime.now(UTC)
    if disabled:
        facts = [EndpointDisabled(each.workspace_id, each.endpoint_id) for each in disabled]
        await outbox.state(connection, DISABLED, facts)
    await begin(connection, [payloads.webhook_disabled(ids.new(), at, each) for each in disabled])
