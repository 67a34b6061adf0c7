-- Tools: what models may call. Without a workspace: the installation's. The headers are sealed, bound to the row.
CREATE TABLE tools (
    id uuid PRIMARY KEY,
    workspace_id uuid,
    name text NOT NULL,
    description text NOT NULL,
    parameters jsonb NOT NULL,
    kind jsonb NOT NULL,
    header_names text[] NOT NULL,
    sealed_headers bytea,
    timeout double precision NOT NULL,
    metadata jsonb NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX tools_of_workspace ON tools (workspace_id, created_at);

ALTER TABLE action_versions ADD COLUMN tool_ids uuid[] NOT NULL DEFAULT '{}';

-- Calls of the caller's own tools, which wait for their results.
ALTER TABLE runs ADD COLUMN calls jsonb NOT NULL DEFAULT '[]';
