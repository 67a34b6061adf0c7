-- Until now a workspace's oldest model answered where none was named, and none was called the default. So it is called that.
UPDATE models SET "default" = true WHERE id IN (
    SELECT DISTINCT ON (workspace_id) id FROM models
    WHERE workspace_id IS NOT NULL
      AND workspace_id NOT IN (SELECT workspace_id FROM models WHERE "default" AND workspace_id IS NOT NULL)
    ORDER BY workspace_id, created_at, id
);
