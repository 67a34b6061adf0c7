CREATE TABLE endpoints (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    url text NOT NULL,
    events text[] NOT NULL,
    description text NOT NULL,
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN endpoints.secret IS 'sealed under the master key, bound to the id';
CREATE INDEX endpoints_of_workspace ON endpoints (workspace_id, created_at, id);

-- What follows is partitioned by day: ids are UUIDv7, so the day is in them. `_other` takes what has no partition yet.

-- What is sent, once for all endpoints that get it: every attempt sends and signs these bytes.
CREATE TABLE payloads (
    event_id uuid NOT NULL,
    event text NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (event_id, event)
) PARTITION BY RANGE (event_id);
CREATE TABLE payloads_other PARTITION OF payloads DEFAULT;

-- The log of what was to be delivered; rows are never changed. A delivery is pending while it is in the queue;
-- afterwards its attempts tell whether it was delivered.
CREATE TABLE deliveries (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    event text NOT NULL,
    created_at timestamptz NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX deliveries_of_endpoint ON deliveries (endpoint_id, id DESC);
CREATE TABLE deliveries_other PARTITION OF deliveries DEFAULT;

CREATE TABLE attempts (
    delivery_id uuid NOT NULL,
    number int NOT NULL,
    at timestamptz NOT NULL,
    latency_ms double precision NOT NULL,
    status_code int,
    error text,
    excerpt text NOT NULL
) PARTITION BY RANGE (delivery_id);
CREATE INDEX attempts_of_delivery ON attempts (delivery_id);
CREATE TABLE attempts_other PARTITION OF attempts DEFAULT;

-- What is still to be done, and nothing else: small and hot. A row is claimed by a dispatcher until claimed_until.
CREATE TABLE queue (
    delivery_id uuid PRIMARY KEY,
    endpoint_id uuid NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    event_id uuid NOT NULL,
    event text NOT NULL,
    attempts int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX queue_due ON queue (due_at) WHERE claimed_until IS NULL;
CREATE INDEX queue_claimed ON queue (claimed_until) WHERE claimed_until IS NOT NULL;
CREATE INDEX queue_of_endpoint ON queue (endpoint_id);

-- The delivery of an event to an endpoint has one id, however often the event is heard: the event's own time in front,
-- as in every UUIDv7, and a digest of both behind.
CREATE FUNCTION delivery_id(event_id uuid, endpoint_id uuid) RETURNS uuid
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    left(event_id::text, 14) || '7'
    || overlay(substr(md5(event_id::text || endpoint_id::text), 1, 19) PLACING '8' FROM 4 FOR 1)
)::uuid;
