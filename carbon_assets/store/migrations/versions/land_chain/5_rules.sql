-- What the database refuses, to the tables' owner as well, and what it keeps up by itself.
-- ENABLE ALWAYS: the triggers fire under session_replication_role = replica, too.

CREATE FUNCTION refuse_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% of % refused: its rows never change', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
              HINT = 'Record a new row; partition_history says which one is current.';
END
$$;

DO $$
DECLARE
    append_only text;
BEGIN
    FOREACH append_only IN ARRAY ARRAY[
        'geometry_versions', 'geometry_edits', 'raster_assets',
        'raster_aggregates', 'raster_aggregate_inputs', 'farm_metrics', 'farm_metric_sources',
        'partition_inputs', 'partition_history'
    ] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I
            FOR EACH ROW EXECUTE FUNCTION refuse_change()', append_only);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', append_only);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only', append_only);
        EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER append_only_truncate', append_only);
    END LOOP;
END
$$;

-- A source version is registered once; later only its manifest may be renewed.
CREATE FUNCTION refuse_source_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    renewable CONSTANT text[] := ARRAY['manifest_hash', 'registered_at'];
BEGIN
    IF to_jsonb(OLD) - renewable IS DISTINCT FROM to_jsonb(NEW) - renewable THEN
        RAISE EXCEPTION 'source % % is registered: only its manifest may change',
            OLD.key, OLD.version
            USING ERRCODE = 'restrict_violation', HINT = 'Register it under a new version.';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER manifest_only BEFORE UPDATE ON raster_data_sources
    FOR EACH ROW EXECUTE FUNCTION refuse_source_change();
CREATE TRIGGER no_delete BEFORE DELETE ON raster_data_sources
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON raster_data_sources
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE raster_data_sources ENABLE ALWAYS TRIGGER manifest_only;
ALTER TABLE raster_data_sources ENABLE ALWAYS TRIGGER no_delete;
ALTER TABLE raster_data_sources ENABLE ALWAYS TRIGGER no_truncate;

-- A place is never deleted, and keeps its tenant, kind and partition key for ever.
CREATE FUNCTION refuse_place_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (OLD.company_id, OLD.geometry_kind) IS DISTINCT FROM (NEW.company_id, NEW.geometry_kind)
        OR (OLD.partition_key IS NOT NULL
            AND OLD.partition_key IS DISTINCT FROM NEW.partition_key)
    THEN
        RAISE EXCEPTION 'place % keeps its company, kind and partition key', OLD.id
            USING ERRCODE = 'restrict_violation', HINT = 'Register a new place instead.';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER permanent_identity BEFORE UPDATE ON farms
    FOR EACH ROW EXECUTE FUNCTION refuse_place_change();
CREATE TRIGGER no_delete BEFORE DELETE ON farms
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON farms
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE farms ENABLE ALWAYS TRIGGER permanent_identity;
ALTER TABLE farms ENABLE ALWAYS TRIGGER no_delete;
ALTER TABLE farms ENABLE ALWAYS TRIGGER no_truncate;

-- The state of a partition is its history row with the highest number. Rows are locked in
-- key order, so that concurrent writers wait for each other and never deadlock.
CREATE FUNCTION follow_history() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.partition_state AS state (
        asset_id, farm_id, vintage, history_id,
        geometry_version_id, inputs_id, upstream, fingerprint
    )
    SELECT DISTINCT ON (asset_id, farm_id, vintage)
        asset_id, farm_id, vintage, id,
        geometry_version_id, inputs_id, upstream, fingerprint
    FROM added
    ORDER BY asset_id, farm_id, vintage, id DESC
    ON CONFLICT (asset_id, farm_id, vintage) DO UPDATE SET
        history_id = excluded.history_id,
        geometry_version_id = excluded.geometry_version_id,
        inputs_id = excluded.inputs_id,
        upstream = excluded.upstream,
        fingerprint = excluded.fingerprint
    WHERE state.history_id < excluded.history_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER state_follows AFTER INSERT ON partition_history
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION follow_history();
ALTER TABLE partition_history ENABLE ALWAYS TRIGGER state_follows;

-- Nobody writes the state by hand: only statements inside another trigger pass.
CREATE FUNCTION refuse_direct_write() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION '% of % refused: it follows partition_history', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation', HINT = 'Insert into partition_history.';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER written_by_trigger BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON partition_state
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_direct_write();
ALTER TABLE partition_state ENABLE ALWAYS TRIGGER written_by_trigger;
