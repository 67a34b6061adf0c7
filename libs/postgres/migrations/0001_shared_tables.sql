-- What every service's schema has. Days are UTC. `upkeep` makes the partitions of the coming days and drops old ones.

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

-- The partition `<parent>_<yyyymmdd>`. Rows that came before their partition move into it.
CREATE FUNCTION make_partition(parent text, day date, low text, high text, of_column text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    partition text := parent || to_char(day, '_YYYYMMDD');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition, parent);
    EXECUTE format('ALTER TABLE %I SET (autovacuum_vacuum_scale_factor = 0.05)', partition);
    IF to_regclass(parent || '_other') IS NOT NULL THEN
        EXECUTE format('WITH early AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *) INSERT INTO %I SELECT * FROM early',
            parent || '_other', of_column, low, of_column, high, partition);
    END IF;
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, partition, low, high);
END
$$;

-- Partitions from `kept` days back on stay.
CREATE FUNCTION drop_partitions(parent text, kept int) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    oldest text := parent || to_char((now() AT TIME ZONE 'UTC')::date - kept, '_YYYYMMDD');
    partition regclass;
BEGIN
    FOR partition IN
        SELECT child.oid FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = parent::regclass AND child.relname ~ '_\d{8}$' AND child.relname < oldest
    LOOP
        EXECUTE format('DROP TABLE %s', partition);
    END LOOP;
END
$$;

-- Events stay for 3 days in the outbox. Ids are known for 8, as an event published again lives on in the stream.
CREATE FUNCTION upkeep() RETURNS void
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    today date := (now() AT TIME ZONE 'UTC')::date;
    day date;
BEGIN
    -- Two processes may come at once; the lock ends with the transaction.
    PERFORM pg_advisory_xact_lock(hashtextextended(current_schema || '.upkeep', 0));
    FOR day IN SELECT generate_series(today - 1, today + 3, interval '1 day')::date LOOP
        PERFORM make_partition('outbox', day, day || ' 00:00Z', day + 1 || ' 00:00Z', 'at');
        PERFORM make_partition('events_seen', day, uuid_floor((day || ' 00:00Z')::timestamptz)::text,
            uuid_floor((day + 1 || ' 00:00Z')::timestamptz)::text, 'id');
    END LOOP;
    PERFORM drop_partitions('outbox', 3);
    PERFORM drop_partitions('events_seen', 8);
    DELETE FROM events_seen_other WHERE id < uuid_floor(now() - interval '8 days');
    DELETE FROM changes WHERE at < now() - interval '1 day';
    DELETE FROM leases WHERE until < now() - interval '1 day';
END
$$;
