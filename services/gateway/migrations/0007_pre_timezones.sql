-- Where a workspace's days begin, by the IANA name of its time zone.
ALTER TABLE workspaces ADD COLUMN timezone text NOT NULL DEFAULT 'UTC';
