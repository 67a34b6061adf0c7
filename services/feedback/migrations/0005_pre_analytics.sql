-- How much happened in a workspace on a day. A figure is a row, so that two kinds of events never wait for each other.
CREATE TABLE analytics_by_day (
    workspace_id uuid NOT NULL,
    day date NOT NULL,
    figure text NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (workspace_id, day, figure)
) WITH (fillfactor = 70);
COMMENT ON COLUMN analytics_by_day.day IS 'in UTC: the day on which it happened, not that on which it was heard of';
