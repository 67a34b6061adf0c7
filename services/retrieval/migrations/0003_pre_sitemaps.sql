-- An address that may be a sitemap's is read for the pages it names: a step of its own.
ALTER TABLE jobs DROP CONSTRAINT jobs_step_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_step_check CHECK (step IN ('list', 'read', 'index'));
