-- Automations. `event` is what sets one off, for those that are about to hear it; `next_at` is when a schedule does.
-- The values of headers are sealed, by step, and bound to the automation.
CREATE TABLE automations (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    status text NOT NULL,
    trigger jsonb NOT NULL,
    steps jsonb NOT NULL,
    sealed_headers bytea,
    timezone text NOT NULL,
    event text,
    last_run_at timestamptz,
    next_at timestamptz,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX automations_of_workspace ON automations (workspace_id, created_at);
CREATE INDEX automations_due ON automations (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX automations_hearing ON automations (workspace_id, event) WHERE event IS NOT NULL AND status = 'active';

-- Runs of them, each with what it began with.
CREATE TABLE automation_runs (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    automation_id uuid NOT NULL REFERENCES automations ON DELETE CASCADE,
    automation_name text NOT NULL,
    status text NOT NULL,
    trigger text NOT NULL,
    payload jsonb NOT NULL,
    contact_id uuid,
    chain uuid[] NOT NULL,
    sealed_headers bytea,
    steps_run int NOT NULL DEFAULT 0,
    steps_total int NOT NULL,
    failure jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX automation_runs_of_automation ON automation_runs (automation_id, created_at DESC);
CREATE INDEX automation_runs_of_workspace ON automation_runs (workspace_id, created_at DESC);
CREATE INDEX automation_runs_of_contact ON automation_runs (contact_id) WHERE contact_id IS NOT NULL;

-- A row for each of their steps. The one whose turn it is runs or waits; it is due at its time, once the run of its
-- action has ended, and belongs to the instance that holds it for as long as that one's lease is renewed.
CREATE TABLE automation_steps (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    run_id uuid NOT NULL REFERENCES automation_runs ON DELETE CASCADE,
    position int NOT NULL,
    name text NOT NULL,
    kind jsonb NOT NULL,
    status text NOT NULL,
    output jsonb NOT NULL DEFAULT '{}',
    failure jsonb,
    action_run_id uuid,
    holder text,
    tries int NOT NULL DEFAULT 0,
    due_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    UNIQUE (run_id, position)
);
CREATE INDEX automation_steps_going_on ON automation_steps (due_at) WHERE status IN ('running', 'waiting');
CREATE INDEX automation_steps_of_action_run ON automation_steps (action_run_id) WHERE action_run_id IS NOT NULL;
