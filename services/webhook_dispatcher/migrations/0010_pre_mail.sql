-- Mail to one recipient each, until it is out or given up: then all that is left is how that went.
CREATE TABLE mails (
    id uuid PRIMARY KEY,
    message_id text NOT NULL,
    workspace_id uuid NOT NULL,
    automation_id uuid NOT NULL,
    run_id uuid NOT NULL,
    recipient text NOT NULL,
    recipients text[] NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'sent', 'failed')),
    attempts int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz,
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN mails.message_id IS 'the same for all recipients, and at every attempt';
CREATE INDEX mails_due ON mails (due_at) WHERE status = 'queued';
CREATE INDEX mails_of_workspace ON mails (workspace_id, created_at);
CREATE INDEX mails_by_age ON mails (created_at) WHERE status <> 'queued';

CREATE TABLE mail_attempts (
    mail_id uuid NOT NULL REFERENCES mails ON DELETE CASCADE,
    number int NOT NULL,
    at timestamptz NOT NULL,
    latency_ms double precision NOT NULL,
    code int,
    error text,
    PRIMARY KEY (mail_id, number)
);

DELETE FROM notification_types WHERE name = 'automation_notice';
INSERT INTO notification_types (name, family) VALUES ('automation', 'automation'), ('contact_refused', 'automation');
