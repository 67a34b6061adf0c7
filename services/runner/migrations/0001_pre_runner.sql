-- What runs: apps and their actions, models and their providers; and what ran: sessions and runs.

CREATE TABLE apps (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    app_type text NOT NULL,
    default_action_id uuid,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX apps_of_workspace ON apps (workspace_id, created_at);

-- An action is its identity; all that can change is in its versions, which never do.
CREATE TABLE actions (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    app_id uuid NOT NULL REFERENCES apps ON DELETE CASCADE,
    version_id uuid NOT NULL,
    version int NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX actions_of_workspace ON actions (workspace_id, created_at);
CREATE INDEX actions_of_app ON actions (app_id, created_at);

CREATE TABLE action_versions (
    id uuid PRIMARY KEY,
    action_id uuid NOT NULL REFERENCES actions ON DELETE CASCADE,
    version int NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    description text NOT NULL,
    prompt text NOT NULL,
    system_message text NOT NULL,
    model_id uuid,
    parameters jsonb NOT NULL,
    context_ids uuid[] NOT NULL,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (action_id, version)
);

-- Without a workspace: the installation's. The key is sealed, bound to the row.
CREATE TABLE providers (
    id uuid PRIMARY KEY,
    workspace_id uuid,
    name text NOT NULL,
    kind text NOT NULL,
    url text NOT NULL,
    sealed_key bytea,
    masked_key text NOT NULL,
    "default" boolean NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX providers_of_workspace ON providers (workspace_id, created_at);

CREATE TABLE models (
    id uuid PRIMARY KEY,
    workspace_id uuid,
    provider_id uuid NOT NULL REFERENCES providers ON DELETE CASCADE,
    llm text NOT NULL,
    nickname text NOT NULL,
    context_window int NOT NULL,
    "default" boolean NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX models_of_workspace ON models (workspace_id, created_at);
CREATE INDEX models_of_provider ON models (provider_id);
CREATE UNIQUE INDEX models_default ON models (workspace_id) NULLS NOT DISTINCT WHERE "default";

-- `turns` is the number of the last turn given out.
CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    action_id uuid,
    name text NOT NULL,
    end_user text NOT NULL,
    turns int NOT NULL DEFAULT 0,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sessions_of_workspace ON sessions (workspace_id, created_at);

-- Ids are UUIDv7, so partitions by id are partitions by time: one a month, made ahead; what fits in none is in
-- runs_other. `question` is what the person said of the prompt;
-- `frames` tells how the output was cut into frames, with all frames that are no text; `request` is what an
-- asynchronous run is started from again. Every write names holder and attempt: a run that has another is lost.
CREATE TABLE runs (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    action_id uuid NOT NULL,
    app_id uuid NOT NULL,
    action_version int NOT NULL,
    session_id uuid,
    turn int,
    status text NOT NULL,
    mode text NOT NULL,
    voice text NOT NULL,
    holder text NOT NULL,
    attempt int NOT NULL,
    model text NOT NULL,
    provider text NOT NULL,
    end_user text NOT NULL,
    experiment text,
    cached_from uuid,
    inputs jsonb NOT NULL,
    question text NOT NULL,
    prompt jsonb NOT NULL,
    output text NOT NULL,
    thinking text NOT NULL,
    frames bytea,
    request bytea,
    usage jsonb NOT NULL,
    finish_reason text NOT NULL,
    sources jsonb NOT NULL,
    metadata jsonb NOT NULL,
    failure jsonb,
    latency_ms double precision,
    first_token_ms double precision,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
) PARTITION BY RANGE (id);
CREATE TABLE runs_other PARTITION OF runs DEFAULT;
CREATE INDEX runs_of_workspace ON runs (workspace_id, id);
CREATE INDEX runs_of_action ON runs (action_id, id);
CREATE INDEX runs_going_on ON runs (holder) WHERE status IN ('queued', 'running');

-- The frames of runs that go on, as far as they have been written: what is left when their holder dies.
CREATE TABLE run_parts (
    run_id uuid NOT NULL,
    attempt int NOT NULL,
    first int NOT NULL,
    frames bytea NOT NULL,
    PRIMARY KEY (run_id, attempt, first)
);

-- Which run is which turn of a session. Runs are partitioned, and only here a turn can be unique.
CREATE TABLE turns (
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    turn int NOT NULL,
    run_id uuid NOT NULL,
    PRIMARY KEY (session_id, turn)
);

-- Finished runs that answer a like one again (`cache`).
CREATE TABLE answers (
    workspace_id uuid NOT NULL,
    key bytea NOT NULL,
    run_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, key)
);
