-- What a partition still has to do keeps it: facts that could not be published for days, since NATS was away, stay.
DROP FUNCTION drop_partitions(text, int);

-- Partitions of today and the `kept` days before it stay, and older ones as long as a row in them is `needed`.
CREATE FUNCTION drop_partitions(parent text, kept int, needed text DEFAULT 'false') RETURNS void
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    oldest text := parent || to_char((now() AT TIME ZONE 'UTC')::date - kept, '_YYYYMMDD');
    partition regclass;
    busy boolean;
BEGIN
    PERFORM partitions_in_turn();
    FOR partition IN
        SELECT child.oid FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = parent::regclass AND child.relname ~ '_\d{8}$' AND child.relname < oldest
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %s)', partition, needed) INTO busy;
        CONTINUE WHEN busy;
        EXECUTE format('DROP TABLE %s', partition);
    END LOOP;
END
$$;
