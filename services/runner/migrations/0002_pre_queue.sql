-- Asynchronous runs wait for a runner (status 'queued'), and the runs of a dead one are found.

ALTER TABLE runs ADD COLUMN model_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';

CREATE INDEX runs_running ON runs (holder) WHERE status = 'running';
DROP INDEX runs_going_on;

-- Waiting runs stand in lanes, one for each model of a workspace; claimed ones are counted.
CREATE INDEX runs_queued ON runs (workspace_id, model_id, id) WHERE status = 'queued';
CREATE INDEX runs_claimed ON runs (workspace_id, model_id) WHERE status = 'running' AND mode = 'async';

-- When a run of the workspace was last claimed: workspaces take turns.
CREATE TABLE claims (
    workspace_id uuid PRIMARY KEY,
    at timestamptz NOT NULL
);
