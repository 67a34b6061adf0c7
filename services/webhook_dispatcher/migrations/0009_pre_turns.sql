-- An event with many endpoints is fanned out in parts. What is left of it waits here, and goes on behind the endpoint that
-- was reached.
CREATE TABLE fan_outs (
    workspace_id uuid NOT NULL,
    event_id uuid NOT NULL,
    event text NOT NULL,
    patterns text NOT NULL,
    twins text NOT NULL,
    at timestamptz NOT NULL,
    reached uuid NOT NULL,
    PRIMARY KEY (workspace_id, event_id, event)
);
CREATE INDEX fan_outs_of_event ON fan_outs (event_id);
CREATE INDEX endpoints_in_turn ON endpoints (workspace_id, id);

-- Workspaces take turns, and so do the endpoints of each: what is due is found by them. What waits for its next attempt
-- is out of the way until then.
ALTER TABLE queue ADD COLUMN workspace_id uuid, ADD COLUMN waits boolean NOT NULL DEFAULT false;
UPDATE queue SET waits = due_at > now(), workspace_id = endpoints.workspace_id
FROM endpoints WHERE endpoints.id = endpoint_id;
CREATE INDEX queue_in_turn ON queue (slow, workspace_id, endpoint_id, due_at) WHERE claimed_until IS NULL AND NOT waits;
CREATE INDEX queue_waits ON queue (due_at) WHERE waits;
-- An index by due_at alone, or by the endpoint alone, would be taken for the shorter way, and lead through a whole backlog.
DROP INDEX queue_due, queue_in_lane, queue_slow, queue_of_endpoint;
CREATE INDEX queue_of_endpoint ON queue (endpoint_id, due_at);

-- The version before knows nothing of workspaces in the queue.
CREATE FUNCTION queue_workspace() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT workspace_id INTO NEW.workspace_id FROM endpoints WHERE id = NEW.endpoint_id;
    RETURN NEW;
END $$;
CREATE TRIGGER queue_workspace BEFORE INSERT ON queue
FOR EACH ROW WHEN (NEW.workspace_id IS NULL) EXECUTE FUNCTION queue_workspace();
