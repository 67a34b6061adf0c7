-- What requests with an Idempotency-Key did, for 24 hours: reserved by whoever comes first, then kept with its answer.

CREATE TABLE effects (
    scope uuid NOT NULL,
    key text NOT NULL,
    request bytea,
    effect_id uuid NOT NULL,
    until timestamptz NOT NULL,
    answer bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON COLUMN effects.scope IS 'the workspace, or the upload that the address gives a right to';
COMMENT ON COLUMN effects.request IS 'SHA-256 of what was asked; of an upload once it was read';
COMMENT ON COLUMN effects.effect_id IS 'what is made is made under ids that come from this one';
COMMENT ON COLUMN effects.until IS 'while it is being answered, and nobody else may: renewed by the gateway that does';
COMMENT ON COLUMN effects.answer IS 'sealed under the master key, bound to scope and effect: it may show a secret';
CREATE INDEX effects_by_age ON effects (created_at);
