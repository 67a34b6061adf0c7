-- Steps of automations are claimed workspace by workspace, and those that somebody holds are counted.
CREATE INDEX automation_steps_in_turn ON automation_steps (workspace_id, due_at) WHERE status IN ('running', 'waiting');
CREATE INDEX automation_steps_held ON automation_steps (holder) WHERE holder IS NOT NULL;
