-- Which runs were given which variant of an experiment: what ratings are counted by.
CREATE TABLE variants (
    run_id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    experiment_id uuid NOT NULL,
    variant_id uuid NOT NULL
);
CREATE INDEX variants_of_experiment ON variants (workspace_id, experiment_id);
CREATE INDEX variants_of_workspace ON variants (workspace_id, run_id);
