-- Who you are: plans, workspaces, accounts, members, API keys.

CREATE TABLE plans (
    name text PRIMARY KEY,
    title text NOT NULL,
    position int NOT NULL UNIQUE
);

INSERT INTO plans (name, title, position) VALUES
    ('free', 'Free', 1),
    ('starter', 'Starter', 2),
    ('growth', 'Growth', 3),
    ('pro', 'Pro', 4),
    ('enterprise', 'Enterprise', 5);

CREATE TABLE workspaces (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    plan text NOT NULL DEFAULT 'enterprise' REFERENCES plans,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- An e-mail address is kept in lower case.
CREATE TABLE accounts (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL DEFAULT '',
    password_hash text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE members (
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    account_id uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    role text NOT NULL CHECK (role IN ('owner', 'admin', 'member')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, account_id)
);

CREATE INDEX members_of_account ON members (account_id);

-- Of a key only its SHA-256 is kept; `prefix` is what a person tells it by.
CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    account_id uuid REFERENCES accounts ON DELETE SET NULL,
    name text NOT NULL,
    prefix text NOT NULL,
    hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);

CREATE INDEX api_keys_of_workspace ON api_keys (workspace_id);
