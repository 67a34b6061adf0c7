-- What was counted of each limit, by the process that used it, and who there is to count.

CREATE TABLE limit_windows (
    workspace_id uuid NOT NULL,
    kind text NOT NULL,
    begins timestamptz NOT NULL,
    process text NOT NULL,
    used bigint NOT NULL,
    taken bigint NOT NULL,
    PRIMARY KEY (workspace_id, kind, begins, process)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON TABLE limit_windows IS 'written once a second by the process that counts';
COMMENT ON COLUMN limit_windows.taken IS 'what the process used, and the permits that it held beside';

CREATE INDEX limit_windows_by_begin ON limit_windows (kind, begins);

CREATE TABLE limits_reached (
    workspace_id uuid NOT NULL,
    kind text NOT NULL,
    begins timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, kind, begins)
);
COMMENT ON TABLE limits_reached IS 'it is told once that a limit was reached';

CREATE TABLE processes (
    name text PRIMARY KEY,
    seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE processes IS 'the gateways that are there, each written by itself once a second';
