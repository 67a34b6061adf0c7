-- What waits for endpoints that fail waits in a lane of its own, out of the way of the others.
ALTER TABLE queue ADD COLUMN slow boolean NOT NULL DEFAULT false;
CREATE INDEX queue_in_lane ON queue (slow, due_at) WHERE claimed_until IS NULL;
CREATE INDEX queue_slow ON queue (endpoint_id) WHERE slow;
