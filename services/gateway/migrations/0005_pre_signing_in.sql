-- Signing in with a password: how long the tokens of an account hold, and how often somebody tried.

ALTER TABLE accounts ADD COLUMN generation int NOT NULL DEFAULT 1;
ALTER TABLE accounts ADD COLUMN last_seen_at timestamptz;
COMMENT ON COLUMN accounts.generation IS 'grows with each change of the password: tokens of an earlier one are refused';
COMMENT ON COLUMN accounts.last_seen_at IS 'the latest login or refresh';

CREATE TABLE login_attempts (
    subject bytea PRIMARY KEY,
    tried int NOT NULL,
    until timestamptz NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON COLUMN login_attempts.subject IS 'SHA-256 of an account''s e-mail address, or of the address somebody comes from';
COMMENT ON COLUMN login_attempts.tried IS 'within the window that ends at `until`; those that succeeded are given back';
CREATE INDEX login_attempts_by_end ON login_attempts (until);
