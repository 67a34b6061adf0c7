-- An endpoint that fails everything for days is disabled, and its owner is told of that and of each failed delivery.
ALTER TABLE endpoints ADD COLUMN failing_since timestamptz;
COMMENT ON COLUMN endpoints.failing_since IS 'its first failed attempt since the last that arrived';

CREATE TABLE notification_types (
    name text PRIMARY KEY,
    family text NOT NULL
);
INSERT INTO notification_types (name, family) VALUES ('webhook_failed', 'webhook'), ('webhook_disabled', 'webhook');

-- What happens again on a day is told once, with how often: the id is that of the thing and the day.
CREATE TABLE notifications (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    type text NOT NULL REFERENCES notification_types,
    title text NOT NULL,
    body text NOT NULL,
    metadata jsonb NOT NULL,
    times int NOT NULL DEFAULT 1,
    read boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX notifications_of_workspace ON notifications (workspace_id, created_at DESC, id);
CREATE INDEX notifications_by_age ON notifications (created_at);
