-- Experiments: runs shared out over actions, or over versions of one. A run names the variant that it was given.
CREATE TABLE experiments (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    app_id uuid,
    name text NOT NULL,
    status text NOT NULL,
    variants jsonb NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX experiments_of_workspace ON experiments (workspace_id, created_at);

ALTER TABLE runs ADD COLUMN variant_id uuid;
CREATE INDEX runs_of_experiment ON runs (experiment) WHERE experiment IS NOT NULL;
