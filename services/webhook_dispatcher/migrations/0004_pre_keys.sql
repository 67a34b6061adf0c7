-- A secret that was changed signs along for a day, until its receiver has taken over the new one.
CREATE TABLE old_secrets (
    endpoint_id uuid NOT NULL REFERENCES endpoints ON DELETE CASCADE,
    secret bytea NOT NULL,
    valid_until timestamptz NOT NULL
);
COMMENT ON COLUMN old_secrets.secret IS 'sealed under the master key, bound to the endpoint';
CREATE INDEX old_secrets_of_endpoint ON old_secrets (endpoint_id, valid_until);

-- An endpoint may want signatures that it can verify without being able to make them.
ALTER TABLE endpoints ADD COLUMN signing_key bytea, ADD COLUMN public_key text;
COMMENT ON COLUMN endpoints.signing_key IS 'the private Ed25519 key, sealed under the master key, bound to the id';
