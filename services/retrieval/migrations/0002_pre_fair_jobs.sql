-- Workspaces take turns, so that one with ten thousand documents to index holds up no other.
ALTER TABLE jobs ADD COLUMN workspace_id uuid;
UPDATE jobs SET workspace_id = documents.workspace_id FROM documents WHERE documents.id = document_id;
ALTER TABLE jobs ALTER COLUMN workspace_id SET NOT NULL;
CREATE INDEX jobs_in_turn ON jobs (workspace_id, due_at);
DROP INDEX jobs_due;
