-- An endpoint may want its deliveries one at a time, in the order of their events. Such rows are found by that order, and
-- are in no lane.
ALTER TABLE endpoints ADD COLUMN ordered boolean NOT NULL DEFAULT false;
ALTER TABLE queue ADD COLUMN ordered boolean NOT NULL DEFAULT false;
CREATE INDEX queue_in_order ON queue (endpoint_id, event_id, delivery_id) WHERE ordered;
DROP INDEX queue_in_turn;
CREATE INDEX queue_in_turn ON queue (slow, workspace_id, endpoint_id, due_at)
WHERE claimed_until IS NULL AND NOT waits AND NOT ordered;
