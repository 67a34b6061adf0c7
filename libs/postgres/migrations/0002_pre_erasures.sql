-- What is to be erased here, carried out in batches; libs/postgres/erasures.py says when each is through.
CREATE TABLE erasures (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id uuid NOT NULL,
    kind text NOT NULL,
    ids uuid[] NOT NULL,
    before timestamptz,
    passes int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN erasures.before IS 'of what has expired: all that is older';
CREATE INDEX erasures_due ON erasures (due_at);
CREATE UNIQUE INDEX erasures_expired ON erasures (workspace_id) WHERE kind = 'expired';
