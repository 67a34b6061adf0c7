-- One role and one schema of its name for each service; a role sees its own schema and no other.
-- Run in the engine's database by its administrator, as often as you like. Passwords are psql variables:
--   psql "$ADMIN_URL" -v ON_ERROR_STOP=1 -v gateway_password=… -v runner_password=… -v retrieval_password=… \
--        -v feedback_password=… -v webhook_dispatcher_password=… -f deploy/postgres-roles.sql
DO $$
DECLARE
    service text;
BEGIN
    -- Roles belong to the whole server: two databases being prepared at once take turns.
    PERFORM pg_advisory_xact_lock(hashtext('polyvox roles'));
    FOREACH service IN ARRAY ARRAY['gateway', 'runner', 'retrieval', 'feedback', 'webhook_dispatcher'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', service);
        END IF;
        -- Where the administrator is no superuser, it must be a member of a role to give it a schema.
        EXECUTE format('GRANT %I TO CURRENT_USER', service);
        EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), service);
        EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', service, service);
        EXECUTE format('ALTER ROLE %I SET search_path = %I', service, service);
        EXECUTE format('ALTER ROLE %I SET idle_in_transaction_session_timeout = %L', service, '60s');
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
END
$$;

ALTER ROLE gateway PASSWORD :'gateway_password';
ALTER ROLE runner PASSWORD :'runner_password';
ALTER ROLE retrieval PASSWORD :'retrieval_password';
ALTER ROLE feedback PASSWORD :'feedback_password';
ALTER ROLE webhook_dispatcher PASSWORD :'webhook_dispatcher_password';
