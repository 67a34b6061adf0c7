-- Deliveries are erased with what they tell of, with their workspace, and by age in it.
ALTER TABLE payloads ADD COLUMN about uuid;
COMMENT ON COLUMN payloads.about IS 'the run or the document that it tells of';
CREATE INDEX payloads_about ON payloads (about) WHERE about IS NOT NULL;
CREATE INDEX deliveries_of_workspace ON deliveries (workspace_id, id);
