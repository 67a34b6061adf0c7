-- Whom a workspace deals with.

CREATE TABLE contacts (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
    name text NOT NULL,
    email text NOT NULL,
    company text NOT NULL,
    tags text[] NOT NULL,
    metadata jsonb NOT NULL,
    words tsvector NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN contacts.words IS 'of name, e-mail and company, as services/gateway/contacts/words.py tells them apart';

CREATE INDEX contacts_of_workspace ON contacts (workspace_id, id);
CREATE UNIQUE INDEX contacts_email ON contacts (workspace_id, lower(email)) WHERE email <> '';
CREATE INDEX contacts_words ON contacts USING gin (words);
CREATE INDEX contacts_tags ON contacts USING gin (tags);
