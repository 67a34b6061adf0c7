-- A developer who listens is an endpoint for as long: deliveries are logged for it, and nobody but the listener sends them.
ALTER TABLE endpoints DROP CONSTRAINT endpoints_status_check;
ALTER TABLE endpoints ADD CONSTRAINT endpoints_status_check CHECK (status IN ('active', 'disabled', 'listening'));
