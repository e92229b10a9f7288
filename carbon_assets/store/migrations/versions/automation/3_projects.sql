-- Assets partitioned by project and vintage, and the first of them.

-- State: a partition is of a place, or of a project. Which one, the asset says. Views, indexes
-- and column grants follow a renamed column by themselves; functions and comments do not.
ALTER TABLE partition_history RENAME COLUMN farm_id TO subject_id;
ALTER TABLE partition_state RENAME COLUMN farm_id TO subject_id;
ALTER TABLE work_list_items RENAME COLUMN farm_id TO subject_id;
ALTER INDEX ix_partition_history_asset_id_farm_id_vintage_id
    RENAME TO ix_partition_history_asset_id_subject_id_vintage_id;

COMMENT ON COLUMN partition_history.subject_id IS
    'Row of farms; of projects for assets of project × vintage';
COMMENT ON COLUMN partition_history.upstream IS
    'Tokens of the partitions read, combined by XOR; NULL = none are read';
COMMENT ON COLUMN partition_state.subject_id IS
    'As in partition_history';
COMMENT ON COLUMN work_list_items.subject_id IS
    'Row of farms or projects, as the list says';

ALTER TABLE work_lists ADD COLUMN level TEXT DEFAULT 'place' NOT NULL;
ALTER TABLE work_lists ADD CONSTRAINT ck_work_lists_level CHECK (level IN ('place', 'project'));
COMMENT ON COLUMN work_lists.level IS
    'What its partitions are of: place or project';

CREATE OR REPLACE FUNCTION follow_history() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.partition_state AS state (
        asset_id, subject_id, vintage, history_id,
        geometry_version_id, inputs_id, upstream, fingerprint
    )
    SELECT DISTINCT ON (asset_id, subject_id, vintage)
        asset_id, subject_id, vintage, id,
        geometry_version_id, inputs_id, upstream, fingerprint
    FROM added
    ORDER BY asset_id, subject_id, vintage, id DESC
    ON CONFLICT (asset_id, subject_id, vintage) DO UPDATE SET
        history_id = excluded.history_id,
        geometry_version_id = excluded.geometry_version_id,
        inputs_id = excluded.inputs_id,
        upstream = excluded.upstream,
        fingerprint = excluded.fingerprint
    WHERE state.history_id < excluded.history_id;
    RETURN NULL;
END
$$;

-- A project keeps its tenant and key, and with them its partition key, for ever.
ALTER TABLE projects ADD COLUMN partition_key TEXT NOT NULL GENERATED ALWAYS AS (
    coalesce(nullif(left(trim(BOTH '-' FROM
        regexp_replace(key, '[^A-Za-z0-9_.-]+', '-', 'g')), 60), ''), 'project') || '-' || id::text
) STORED;
ALTER TABLE projects ADD CONSTRAINT uq_projects_partition_key UNIQUE (partition_key);
COMMENT ON COLUMN projects.partition_key IS
    'Permanent Dagster partition key, never re-used';

CREATE FUNCTION refuse_project_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (OLD.id, OLD.company_id, OLD.key) IS DISTINCT FROM (NEW.id, NEW.company_id, NEW.key) THEN
        RAISE EXCEPTION 'project % keeps its company and key', OLD.id
            USING ERRCODE = 'restrict_violation', HINT = 'Register a new project instead.';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER permanent_identity BEFORE UPDATE ON projects
    FOR EACH ROW EXECUTE FUNCTION refuse_project_change();
CREATE TRIGGER no_delete BEFORE DELETE ON projects
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON projects
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE projects ENABLE ALWAYS TRIGGER permanent_identity;
ALTER TABLE projects ENABLE ALWAYS TRIGGER no_delete;
ALTER TABLE projects ENABLE ALWAYS TRIGGER no_truncate;

CREATE TABLE project_members (
    project_id INTEGER NOT NULL,
    inputs_fingerprint TEXT NOT NULL,
    farm_id INTEGER NOT NULL,
    company_id INTEGER NOT NULL,
    vintage_year INTEGER NOT NULL,
    farm_fingerprint TEXT,
    CONSTRAINT pk_project_members PRIMARY KEY (project_id, inputs_fingerprint, farm_id),
    CONSTRAINT ck_project_members_inputs_fingerprint
        CHECK (inputs_fingerprint ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT ck_project_members_farm_fingerprint
        CHECK (farm_fingerprint ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT fk_project_members_company_id_project_id FOREIGN KEY(company_id, project_id)
        REFERENCES projects (company_id, id),
    CONSTRAINT fk_project_members_company_id_farm_id FOREIGN KEY(company_id, farm_id)
        REFERENCES farms (company_id, id)
);

COMMENT ON TABLE project_members IS
    'Farms of a project as one computation of its metrics found them; immutable';

COMMENT ON COLUMN project_members.project_id IS
    'Project';
COMMENT ON COLUMN project_members.inputs_fingerprint IS
    'Computation: fingerprint of the project metrics';
COMMENT ON COLUMN project_members.farm_id IS
    'Active place of kind farm';
COMMENT ON COLUMN project_members.company_id IS
    'Tenant';
COMMENT ON COLUMN project_members.vintage_year IS
    'Calendar year the computation is for';
COMMENT ON COLUMN project_members.farm_fingerprint IS
    'Fingerprint of the farm metrics that were read; NULL = the farm had none yet';

CREATE TABLE project_metrics (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    company_id INTEGER NOT NULL,
    project_id INTEGER NOT NULL,
    metric_code TEXT NOT NULL,
    vintage_year INTEGER NOT NULL,
    stratum_filter JSONB,
    value_canonical DOUBLE PRECISION,
    unit_canonical TEXT NOT NULL,
    value_min_canonical DOUBLE PRECISION,
    value_max_canonical DOUBLE PRECISION,
    farms_counted INTEGER NOT NULL,
    farms_without_data INTEGER NOT NULL,
    farms_flagged INTEGER NOT NULL,
    valid_share DOUBLE PRECISION,
    flags JSONB DEFAULT '[]' NOT NULL,
    source_tag TEXT NOT NULL,
    formula TEXT NOT NULL,
    inputs_fingerprint TEXT NOT NULL,
    code_version TEXT NOT NULL,
    computed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_project_metrics PRIMARY KEY (id),
    CONSTRAINT uq_project_metrics_computation
        UNIQUE NULLS NOT DISTINCT (project_id, inputs_fingerprint, metric_code, stratum_filter),
    CONSTRAINT fk_project_metrics_company_id_project_id FOREIGN KEY(company_id, project_id)
        REFERENCES projects (company_id, id),
    CONSTRAINT fk_project_metrics_metric_code FOREIGN KEY(metric_code)
        REFERENCES lookup_metric_type (code),
    CONSTRAINT ck_project_metrics_inputs_fingerprint
        CHECK (inputs_fingerprint ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT ck_project_metrics_value_canonical
        CHECK (value_canonical > '-Infinity' AND value_canonical < 'Infinity'),
    CONSTRAINT ck_project_metrics_valid_share CHECK (valid_share >= 0 AND valid_share <= 1),
    CONSTRAINT ck_project_metrics_farms
        CHECK (farms_counted >= 0 AND farms_without_data >= 0
            AND farms_flagged >= 0 AND farms_flagged <= farms_counted),
    CONSTRAINT ck_project_metrics_unknown_without_farms
        CHECK ((value_canonical IS NULL) = (farms_counted = 0))
);

CREATE INDEX ix_project_metrics_project_id_vintage_year
    ON project_metrics (project_id, vintage_year);

COMMENT ON TABLE project_metrics IS
    'Metrics of a project and year over its active farms; immutable';

COMMENT ON COLUMN project_metrics.id IS
    'Row number, given by the database';
COMMENT ON COLUMN project_metrics.company_id IS
    'Tenant';
COMMENT ON COLUMN project_metrics.project_id IS
    'Project';
COMMENT ON COLUMN project_metrics.metric_code IS
    'What was measured';
COMMENT ON COLUMN project_metrics.vintage_year IS
    'Calendar year the number is for';
COMMENT ON COLUMN project_metrics.stratum_filter IS
    'Stratum taxonomy terms, or a class; NULL = the whole of the farms';
COMMENT ON COLUMN project_metrics.value_canonical IS
    'Sum or ratio of sums over the farms counted, in unit_canonical; NULL = no farm has data';
COMMENT ON COLUMN project_metrics.unit_canonical IS
    'Unit of the value';
COMMENT ON COLUMN project_metrics.value_min_canonical IS
    'Lower end of the 95 % interval, errors of the farms fully correlated, unit_canonical';
COMMENT ON COLUMN project_metrics.value_max_canonical IS
    'Upper end of the 95 % interval, unit_canonical';
COMMENT ON COLUMN project_metrics.farms_counted IS
    'Farms whose number is in the value';
COMMENT ON COLUMN project_metrics.farms_without_data IS
    'Farms of which it is unknown; they are not in the value';
COMMENT ON COLUMN project_metrics.farms_flagged IS
    'Farms counted whose own metric is flagged low_valid_share';
COMMENT ON COLUMN project_metrics.valid_share IS
    'Area with data by covered area over all farms with metrics, 0 to 1';
COMMENT ON COLUMN project_metrics.flags IS
    'Codes of reservations, e.g. farms_without_data';
COMMENT ON COLUMN project_metrics.source_tag IS
    'Readable label of the origin';
COMMENT ON COLUMN project_metrics.formula IS
    'How the value follows from the farm metrics';
COMMENT ON COLUMN project_metrics.inputs_fingerprint IS
    'SHA-256 over everything the number depends on';
COMMENT ON COLUMN project_metrics.code_version IS
    'git commit, or package version';
COMMENT ON COLUMN project_metrics.computed_at IS
    'When the row was computed';

CREATE TABLE project_metric_sources (
    project_metric_id BIGINT NOT NULL,
    farm_metric_id BIGINT NOT NULL,
    role TEXT NOT NULL,
    CONSTRAINT pk_project_metric_sources PRIMARY KEY (project_metric_id, farm_metric_id, role),
    CONSTRAINT ck_project_metric_sources_role
        CHECK (role IN ('primary', 'numerator', 'denominator')),
    CONSTRAINT fk_project_metric_sources_project_metric_id FOREIGN KEY(project_metric_id)
        REFERENCES project_metrics (id),
    CONSTRAINT fk_project_metric_sources_farm_metric_id FOREIGN KEY(farm_metric_id)
        REFERENCES farm_metrics (id)
);

CREATE INDEX ix_project_metric_sources_farm_metric_id ON project_metric_sources (farm_metric_id);

COMMENT ON TABLE project_metric_sources IS
    'Farm metrics behind each project metric; immutable';

COMMENT ON COLUMN project_metric_sources.project_metric_id IS
    'Project metric';
COMMENT ON COLUMN project_metric_sources.farm_metric_id IS
    'Farm metric';
COMMENT ON COLUMN project_metric_sources.role IS
    'primary, numerator, denominator';

DO $$
DECLARE
    append_only text;
BEGIN
    FOREACH append_only IN ARRAY ARRAY[
        'project_members', 'project_metrics', 'project_metric_sources'
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

CREATE VIEW current_project_metrics WITH (security_invoker = true) AS
SELECT metric.*, state.history_id
FROM partition_state AS state
JOIN asset_keys AS asset ON asset.id = state.asset_id AND asset.key = 'project_metrics'
JOIN project_metrics AS metric
    ON metric.project_id = state.subject_id
    AND metric.vintage_year = state.vintage
    AND metric.inputs_fingerprint = 'sha256:' || encode(state.fingerprint, 'hex');

COMMENT ON VIEW current_project_metrics IS
    'Project metrics that are current for their partition, with the history row that says so';

GRANT SELECT ON project_members, project_metrics, project_metric_sources, current_project_metrics
    TO carbon_assets_app;
GRANT INSERT ON project_members, project_metrics, project_metric_sources TO carbon_assets_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO carbon_assets_app;
