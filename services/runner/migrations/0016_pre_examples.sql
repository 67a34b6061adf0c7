-- Turns that stand before an action's prompt and show how it is answered.
ALTER TABLE action_versions ADD COLUMN examples jsonb NOT NULL DEFAULT '[]';
