CREATE TABLE feedback (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    run_id uuid NOT NULL,
    type text NOT NULL CHECK (type IN ('rating', 'correction', 'issue', 'action')),
    value jsonb NOT NULL,
    source text NOT NULL,
    created_by text NOT NULL,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN feedback.value IS 'a number or a text, as it was given';
CREATE INDEX feedback_of_workspace ON feedback (workspace_id, id);
CREATE INDEX feedback_of_run ON feedback (run_id);

-- How much feedback a workspace has: a page says so without counting.
CREATE TABLE totals (
    workspace_id uuid PRIMARY KEY,
    feedback bigint NOT NULL
);

CREATE TABLE usage_by_day (
    workspace_id uuid NOT NULL,
    day date NOT NULL,
    runs bigint NOT NULL,
    failed bigint NOT NULL,
    cached bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    PRIMARY KEY (workspace_id, day)
) WITH (fillfactor = 70);
COMMENT ON COLUMN usage_by_day.day IS 'in UTC: the day on which the run finished';
