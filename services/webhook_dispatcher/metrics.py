"""What the dispatcher counts."""

from prometheus_client import Counter

ATTEMPTS = Counter("polyvox_webhook_attempts", "Attempts made, by what they came to", ["outcome"])
