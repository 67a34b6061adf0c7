-- What is left of each limit: permits are taken out of one row by all gateways, and what they used is told beside it.
-- In place of limit_windows, in which one of them counted for all.

CREATE TABLE permits (
    workspace_id uuid NOT NULL,
    kind text NOT NULL,
    begins timestamptz NOT NULL,
    most bigint,
    given bigint NOT NULL DEFAULT 0,
    used bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (workspace_id, kind, begins)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
COMMENT ON COLUMN permits.most IS 'the limit, as it was when permits were last asked for';
COMMENT ON COLUMN permits.given IS 'permits that a gateway has or used; what was asked for last may go beyond the limit';
COMMENT ON COLUMN permits.used IS 'those that were used, as of a second ago';

CREATE INDEX permits_by_begin ON permits (kind, begins);

INSERT INTO permits (workspace_id, kind, begins, given, used)
SELECT workspace_id, kind, begins, sum(taken), sum(used) FROM limit_windows GROUP BY workspace_id, kind, begins;
