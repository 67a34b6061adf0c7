-- How long a workspace keeps what ran in it, and what its deletion and theirs leave in the answers of idempotency keys.

ALTER TABLE workspaces ADD COLUMN retention_days int CHECK (retention_days >= 0), ADD COLUMN expired_at timestamptz;
COMMENT ON COLUMN workspaces.retention_days IS 'null: as the installation has it; 0: for ever';
COMMENT ON COLUMN workspaces.expired_at IS 'when it was last said that what is older has expired';

CREATE INDEX effects_made ON effects (effect_id);
COMMENT ON COLUMN effects.answer IS
    'sealed under the master key, bound to scope and effect: it may show a secret; empty once what was made is erased';
