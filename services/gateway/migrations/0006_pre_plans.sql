-- What each plan allows, and what a workspace was given beside its plan.

ALTER TABLE plans
    ADD COLUMN requests_per_minute int CHECK (requests_per_minute > 0),
    ADD COLUMN chat_messages_per_day int CHECK (chat_messages_per_day >= 0),
    ADD COLUMN api_calls_per_month int CHECK (api_calls_per_month >= 0),
    ADD COLUMN webhooks int CHECK (webhooks >= 0),
    ADD COLUMN automations int CHECK (automations >= 0);
COMMENT ON TABLE plans IS 'null is without a limit, but for requests_per_minute: as CUSTOM_REQUESTS_PER_MINUTE says';

UPDATE plans SET
    requests_per_minute = figures.requests_per_minute,
    chat_messages_per_day = figures.chat_messages_per_day,
    api_calls_per_month = figures.api_calls_per_month,
    webhooks = figures.webhooks,
    automations = figures.automations
FROM (VALUES
    ('free', 20, 50, 10, 1, 3),
    ('starter', 60, 500, 100, 2, 10),
    ('growth', 300, 5000, 1000, 3, 50),
    ('pro', 300, 5000, 1000, 5, 50)
) AS figures (name, requests_per_minute, chat_messages_per_day, api_calls_per_month, webhooks, automations)
WHERE plans.name = figures.name;

ALTER TABLE workspaces ADD COLUMN own_figures jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN workspaces.own_figures IS 'what it is allowed in place of its plan''s figures, by their names';
