-- Runs are erased by session, by age, with their workspace, and out of the answers that name them; the passages of a
-- document are taken out of the prompts of the runs that were grounded in it.

CREATE INDEX runs_of_session ON runs (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX runs_grounded ON runs USING gin (jsonb_path_query_array(sources, '$[*].document_id'))
    WHERE sources <> '[]'::jsonb;
CREATE INDEX turns_of_run ON turns (run_id);
CREATE INDEX answers_of_run ON answers (run_id);

-- A month of which every run has been erased. Runs that begin now are never in it.
CREATE FUNCTION drop_empty_months(kept int) RETURNS void
LANGUAGE plpgsql SET lock_timeout = '5s' AS $$
DECLARE
    oldest text := 'runs' || to_char((now() AT TIME ZONE 'UTC') - make_interval(months => kept), '_YYYYMM') || '01';
    month regclass;
    empty boolean;
BEGIN
    PERFORM partitions_in_turn();
    FOR month IN
        SELECT child.oid FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
        WHERE inhparent = 'runs'::regclass AND child.relname ~ '_\d{8}$' AND child.relname < oldest
    LOOP
        EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s)', month) INTO empty;
        IF empty THEN
            EXECUTE format('LOCK TABLE %s', month);
            EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s)', month) INTO empty;
        END IF;
        IF empty THEN
            EXECUTE format('DROP TABLE %s', month);
        END IF;
    END LOOP;
END
$$;
