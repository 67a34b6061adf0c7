-- What every service's schema has. Days are UTC; libs/postgres/upkeep.py has their partitions made and dropped.

-- Facts on their way out, in the order of n. No primary key: marking a row published then adds no index entry.
CREATE TABLE outbox (
    n bigint GENERATED ALWAYS AS IDENTITY,
    id uuid NOT NULL,
    subject text NOT NULL,
    body bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz
) PARTITION BY RANGE (at);
CREATE INDEX outbox_unpublished ON outbox (n) WHERE published_at IS NULL;
CREATE INDEX outbox_at ON outbox USING brin (at);

-- How far the stream was when it last confirmed anything: less than this later, and it has lost what it had.
CREATE TABLE outbox_stream (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    born text NOT NULL,
    sequence bigint NOT NULL
);

-- The ids of events already reacted to. They are UUIDv7: the day is in the id.
CREATE TABLE events_seen (id uuid PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE events_seen_other PARTITION OF events_seen DEFAULT;

CREATE TABLE event_retries (
    id uuid PRIMARY KEY,
    subject text NOT NULL,
    at timestamptz NOT NULL,
    body bytea NOT NULL,
    tries int NOT NULL,
    reason text NOT NULL,
    due_at timestamptz NOT NULL
);
CREATE INDEX event_retries_due ON event_retries (due_at);

CREATE TABLE dead_letters (
    id uuid PRIMARY KEY,
    subject text NOT NULL,
    at timestamptz NOT NULL,
    body bytea NOT NULL,
    tries int NOT NULL,
    reason text NOT NULL,
    died_at timestamptz NOT NULL DEFAULT now()
);

-- What caches must forget. A reader asks for the rows that its last snapshot could not see, whenever they committed.
CREATE TABLE changes (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    kind text NOT NULL,
    key text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX changes_xid ON changes (xid);

CREATE TABLE leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    until timestamptz NOT NULL
);

-- The lowest UUIDv7 of a moment.
CREATE FUNCTION uuid_floor(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid;

-- Two processes that look after the partitions take turns; the lock ends with the transaction.
CREATE FUNCTION partitions_in_turn() RETURNS void LANGUAGE sql
RETURN pg_advisory_xact_lock(hashtextextended(current_schema || '.partitions', 0));

-- The partition `<parent>_<yyyymmdd>`. What came before it into `<parent>_other` moves into it.
CREATE FUNCTION make_partition(parent text, key text, day date, low text, high text) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    partition text := parent || to_char(day, '_YYYYMMDD');
    other text := parent || '_other';
BEGIN
    PERFORM partitions_in_turn();
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition, parent);
    EXECUTE format('ALTER TABLE %I SET (autovacuum_vacuum_scale_factor = 0.05)', partition);
    IF to_regclass(other) IS NOT NULL THEN
        EXECUTE format(
            'WITH early AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM early',
            other, key, low, key, high, partition);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, partition, low, high);
END
$$;

-- Yesterday for what began there, and the days for which partitions are there ahead.
CREATE FUNCTION coming_days() RETURNS SETOF date LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT (now() AT TIME ZONE 'UTC')::date + n FROM generate_series(-1, 3) AS n;
END;

-- One partition a day: by a moment, or by the moment in a UUIDv7.
CREATE FUNCTION make_partition_by_time(parent text, key text, day date) RETURNS void LANGUAGE sql
RETURN make_partition(parent, key, day, day || ' 00:00Z', day + 1 || ' 00:00Z');

CREATE FUNCTION make_partition_by_id(parent text, key text, day date) RETURNS void LANGUAGE sql
RETURN make_partition(
    parent, key, day, uuid_floor(day::timestamp AT TIME ZONE 'UTC')::text,
    uuid_floor((day + 1)::timestamp AT TIME ZONE 'UTC')::text);

-- Partitions of today and the `kept` days before it stay.
CREATE FUNCTION drop_partitions(parent text, kept int) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    oldest text := parent || to_char((now() AT TIME ZONE 'UTC')::date - kept, '_YYYYMMDD');
    partition regclass;
BEGIN
    PERFORM partitions_in_turn();
    FOR partition IN
        SELECT child.oid FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = parent::regclass AND child.relname ~ '_\d{8}$' AND child.relname < oldest
    LOOP
        EXECUTE format('DROP TABLE %s', partition);
    END LOOP;
END
$$;
