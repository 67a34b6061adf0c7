"""What the dispatcher counts."""

from prometheus_client import Counter, Gauge

from libs.postgres.database import Database
from libs.runtime.observing import Observed, query

_ATTEMPTS = Counter("polyvox_webhook_attempts", "Attempts made, by what they came to", ["outcome"])
# By whether they were delivered.
ATTEMPTS = {True: _ATTEMPTS.labels("delivered"), False: _ATTEMPTS.labels("failed")}
MAIL = Counter("polyvox_mail_attempts", "Attempts to send a mail, by what they came to", ["outcome"])
MAIL_QUEUED = Gauge("polyvox_mail_due", "Mails that are due")
QUEUED = Gauge("polyvox_webhook_deliveries_due", "Deliveries that are due, but for those to endpoints that fail")
QUEUED_SECONDS = Gauge("polyvox_webhook_deliveries_oldest_seconds", "How long the first of them has been due")
IN_ORDER = Gauge("polyvox_webhook_deliveries_in_order", "Deliveries that wait for those before them at their endpoint")
FAN_OUTS = Gauge("polyvox_webhook_fan_outs", "Events that are not yet queued for all their endpoints")

_QUEUE = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(due_at)), 0)::float8,
       (SELECT count(*) FROM (SELECT FROM queue WHERE ordered LIMIT 10000) AS waiting),
       (SELECT count(*) FROM fan_outs)
FROM (SELECT due_at FROM queue
      WHERE claimed_until IS NULL AND NOT waits AND NOT ordered AND NOT slow AND due_at <= now() LIMIT 10000) AS due
"""

_MAIL = "SELECT count(*) FROM mails WHERE status = 'queued' AND due_at <= now()"


def mail(database: Database) -> Observed:
    return query(database, "mail that is due", (MAIL_QUEUED,), _MAIL)


def queue(database: Database) -> Observed:
    return query(database, "queue of deliveries", (QUEUED, QUEUED_SECONDS, IN_ORDER, FAN_OUTS), _QUEUE)
