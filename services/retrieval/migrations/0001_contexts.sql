CREATE TABLE contexts (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    description text NOT NULL,
    type text NOT NULL,
    metadata jsonb NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    documents int NOT NULL DEFAULT 0,
    chunks int NOT NULL DEFAULT 0,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
COMMENT ON COLUMN contexts.revision IS 'grows with every change to what a search could find';
COMMENT ON COLUMN contexts.documents IS 'counted as they come and go, like chunks';
CREATE INDEX contexts_of_workspace ON contexts (workspace_id, created_at, id);

CREATE TABLE documents (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    context_id uuid NOT NULL REFERENCES contexts ON DELETE CASCADE,
    name text NOT NULL,
    status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'indexing', 'indexed', 'failed')),
    metadata jsonb NOT NULL,
    chunks_done int NOT NULL DEFAULT 0,
    chunks_total int NOT NULL DEFAULT 0,
    size bigint NOT NULL DEFAULT 0,
    url text,
    blob text,
    text text,
    error text,
    version int NOT NULL DEFAULT 1,
    space text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
COMMENT ON COLUMN documents.text IS 'as it was given, or as it was read from its file';
COMMENT ON COLUMN documents.version IS 'of its content; part of the ids of its chunks';
COMMENT ON COLUMN documents.space IS 'the embedding model that its vectors are of';
CREATE INDEX documents_of_context ON documents (context_id, created_at, id);
CREATE INDEX documents_of_blob ON documents (blob) WHERE blob IS NOT NULL;

CREATE TABLE chunks (
    id uuid PRIMARY KEY,
    document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
    position int NOT NULL,
    start int NOT NULL,
    text text NOT NULL
);
COMMENT ON COLUMN chunks.start IS 'where it begins in its document, in characters: neighbours may overlap';
CREATE UNIQUE INDEX chunks_of_document ON chunks (document_id, position);

-- What is still to be done for a document, and nothing else. A job is held by an instance, as long as its lease lasts.
CREATE TABLE jobs (
    document_id uuid PRIMARY KEY REFERENCES documents ON DELETE CASCADE,
    step text NOT NULL CHECK (step IN ('read', 'index')),
    tries int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    holder text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
CREATE INDEX jobs_due ON jobs (due_at);
CREATE INDEX jobs_held ON jobs (holder) WHERE holder IS NOT NULL;

-- Vectors and blobs that nothing names any more: written with the deletion of rows, done after it.
CREATE TABLE removals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id uuid NOT NULL,
    context_id uuid NOT NULL,
    document_ids uuid[],
    blobs text[] NOT NULL,
    passes int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN removals.document_ids IS 'null for the whole context';
CREATE INDEX removals_due ON removals (due_at);

CREATE TABLE uploads (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    blob text NOT NULL,
    size bigint,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN uploads.size IS 'in bytes, once the upload is finished';
CREATE INDEX uploads_by_age ON uploads (created_at);
