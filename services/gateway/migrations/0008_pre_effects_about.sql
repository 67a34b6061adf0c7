ALTER TABLE effects ADD COLUMN about uuid;
COMMENT ON COLUMN effects.about IS 'the run that the answer speaks of, where it made another thing: feedback';
