-- Datasets are lists of runs.
CREATE TABLE datasets (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    app_id uuid,
    name text NOT NULL,
    description text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX datasets_of_workspace ON datasets (workspace_id, created_at);

CREATE TABLE dataset_runs (
    dataset_id uuid NOT NULL REFERENCES datasets ON DELETE CASCADE,
    run_id uuid NOT NULL,
    PRIMARY KEY (dataset_id, run_id)
);
CREATE INDEX dataset_runs_of_run ON dataset_runs (run_id);

-- Evals, their trials, and a row for each data point of a trial. A trial keeps what it began with.
CREATE TABLE evals (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    app_id uuid NOT NULL,
    action_id uuid NOT NULL,
    version_id uuid,
    version int,
    dataset_id uuid,
    checks jsonb NOT NULL,
    rerun boolean NOT NULL,
    sampling double precision NOT NULL,
    alert_on_fail boolean NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX evals_of_workspace ON evals (workspace_id, created_at);

-- `summary` is what it came to, once it is finished: rows may be erased with their data points.
CREATE TABLE trials (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    eval_id uuid NOT NULL REFERENCES evals ON DELETE CASCADE,
    number int NOT NULL,
    action_id uuid NOT NULL,
    version_id uuid,
    version int,
    dataset_id uuid,
    checks jsonb NOT NULL,
    rerun boolean NOT NULL,
    status text NOT NULL,
    summary jsonb,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    UNIQUE (eval_id, number)
);
CREATE INDEX trials_going_on ON trials (id) WHERE status = 'running';

-- `run_ids` are all the runs that were made for it, the answer first; it goes on once `waits_for` have ended. It belongs
-- to the instance that holds it for as long as that one's lease is renewed.
CREATE TABLE trial_rows (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    trial_id uuid NOT NULL REFERENCES trials ON DELETE CASCADE,
    point_id uuid NOT NULL,
    answer_id uuid,
    status text NOT NULL DEFAULT 'new',
    verdicts jsonb NOT NULL DEFAULT '[]',
    passed boolean,
    run_ids uuid[] NOT NULL DEFAULT '{}',
    waits_for uuid[] NOT NULL DEFAULT '{}',
    holder text,
    tries int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX trial_rows_of_trial ON trial_rows (trial_id, id);
CREATE INDEX trial_rows_open ON trial_rows (trial_id, status, id) WHERE status <> 'done';
CREATE INDEX trial_rows_of_point ON trial_rows (point_id);
CREATE INDEX trial_rows_of_runs ON trial_rows USING gin (run_ids);
