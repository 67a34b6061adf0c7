-- What a workspace is told of beside its webhooks, and what that is about: it goes with what it tells of.
INSERT INTO notification_types (name, family) VALUES
    ('aria_replied', 'aria'),
    ('aria_failed', 'aria'),
    ('automation_completed', 'automation'),
    ('automation_failed', 'automation'),
    ('automation_stopped', 'automation'),
    ('automation_notice', 'automation'),
    ('mail_failed', 'automation'),
    ('plan_changed', 'system'),
    ('usage_limit_reached', 'system');
ALTER TABLE notifications ADD COLUMN about uuid[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN notifications.about IS 'the runs, contacts and automations that it tells of';
CREATE INDEX notifications_about ON notifications USING gin (about) WHERE about <> '{}';
