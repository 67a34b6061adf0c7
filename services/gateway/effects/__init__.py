"""Effects: what a request with an Idempotency-Key did, so that the same request again does nothing more."""
