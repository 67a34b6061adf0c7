-- Which version of an action runs in which environment. Without a version: none may run there.
CREATE TABLE deployments (
    action_id uuid NOT NULL REFERENCES actions ON DELETE CASCADE,
    environment text NOT NULL,
    version_id uuid REFERENCES action_versions ON DELETE CASCADE,
    made_by uuid,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (action_id, environment)
);

ALTER TABLE action_versions ADD COLUMN made_by uuid;
