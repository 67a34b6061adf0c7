-- A run that goes on while a turn that it remembers is erased looks at its end for what it must not write down again.
ALTER TABLE sessions ADD COLUMN erased int NOT NULL DEFAULT 0;
COMMENT ON COLUMN sessions.erased IS 'how often turns of it were erased';
