-- Which plans have analytics.
ALTER TABLE plans ADD COLUMN analytics boolean NOT NULL DEFAULT true;
UPDATE plans SET analytics = false WHERE name = 'free';
