-- Fine-tunes. `step` is what is to be done next, when it is due, by whoever holds it; without one it rests.
CREATE TABLE finetunes (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    name text NOT NULL,
    dataset_id uuid NOT NULL,
    provider_id uuid,
    base_model text NOT NULL,
    status text NOT NULL,
    job text NOT NULL,
    finetuned text NOT NULL,
    model_id uuid,
    error text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    step text,
    file text NOT NULL DEFAULT '',
    holder text,
    tries int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX finetunes_of_workspace ON finetunes (workspace_id, created_at);
CREATE INDEX finetunes_due ON finetunes (due_at) WHERE step IS NOT NULL;
