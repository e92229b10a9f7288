-- Files that arrived in the watched folder, and what automation decided.

CREATE TABLE uploads (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    company_id INTEGER NOT NULL,
    kind TEXT NOT NULL,
    file_name TEXT NOT NULL,
    content_hash TEXT,
    size_bytes BIGINT NOT NULL,
    stamp TEXT NOT NULL,
    status TEXT DEFAULT 'received' NOT NULL,
    reason_code TEXT,
    reason TEXT,
    facts JSONB DEFAULT '{}' NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE,
    run_id TEXT,
    CONSTRAINT pk_uploads PRIMARY KEY (id),
    CONSTRAINT fk_uploads_company_id FOREIGN KEY(company_id) REFERENCES companies (id),
    CONSTRAINT ck_uploads_content_hash CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT ck_uploads_status CHECK (status IN ('received', 'taken', 'refused')),
    CONSTRAINT ck_uploads_reason CHECK ((status = 'refused') = (reason_code IS NOT NULL)),
    CONSTRAINT ck_uploads_taken CHECK ((status = 'taken') = (taken_at IS NOT NULL)),
    CONSTRAINT ck_uploads_content CHECK (content_hash IS NOT NULL OR status = 'refused')
);

CREATE INDEX ix_uploads_company_id_kind_id ON uploads (company_id, kind, id);

COMMENT ON TABLE uploads IS
    'Files that arrived in the watched folder';

COMMENT ON COLUMN uploads.id IS
    'Row number, given by the database';
COMMENT ON COLUMN uploads.company_id IS
    'Tenant';
COMMENT ON COLUMN uploads.kind IS
    'What the file holds, e.g. places';
COMMENT ON COLUMN uploads.file_name IS
    'Name under which the file arrived';
COMMENT ON COLUMN uploads.content_hash IS
    'SHA-256 of its bytes; NULL = it was never read';
COMMENT ON COLUMN uploads.size_bytes IS
    'Size, bytes';
COMMENT ON COLUMN uploads.stamp IS
    'Device, inode and time of the file: what tells it from a later one of the same name';
COMMENT ON COLUMN uploads.status IS
    'received, taken, or refused (then nothing of it was written)';
COMMENT ON COLUMN uploads.reason_code IS
    'Error code of a refusal';
COMMENT ON COLUMN uploads.reason IS
    'Why it was refused';
COMMENT ON COLUMN uploads.facts IS
    'What taking it did';
COMMENT ON COLUMN uploads.received_at IS
    'When it was noticed';
COMMENT ON COLUMN uploads.taken_at IS
    'When its content was committed';
COMMENT ON COLUMN uploads.run_id IS
    'Dagster run that took or refused it';

CREATE TABLE automation_decisions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    company_id INTEGER,
    project_id INTEGER,
    sensor TEXT NOT NULL,
    cause TEXT NOT NULL,
    object TEXT NOT NULL,
    old_version TEXT,
    new_version TEXT,
    decision TEXT NOT NULL,
    reason TEXT,
    partitions INTEGER NOT NULL,
    assets TEXT[] DEFAULT '{}' NOT NULL,
    run_key TEXT,
    work_list_id BIGINT,
    read_after BIGINT,
    read_to BIGINT,
    decided_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_automation_decisions PRIMARY KEY (id),
    CONSTRAINT fk_automation_decisions_company_id
        FOREIGN KEY(company_id) REFERENCES companies (id),
    CONSTRAINT fk_automation_decisions_company_id_project_id
        FOREIGN KEY(company_id, project_id) REFERENCES projects (company_id, id),
    CONSTRAINT ck_automation_decisions_decision
        CHECK (decision IN ('requested', 'badge', 'over_cap', 'nothing', 'blocked')),
    CONSTRAINT ck_automation_decisions_run_key
        CHECK ((decision = 'requested') = (run_key IS NOT NULL))
);

CREATE INDEX ix_automation_decisions_sensor_id ON automation_decisions (sensor, id);
CREATE INDEX ix_automation_decisions_sensor_company_id_read_to
    ON automation_decisions (sensor, company_id, read_to);

-- The sensor of geometry edits reads them company by company.
CREATE INDEX ix_geometry_edits_company_id_id ON geometry_edits (company_id, id);

COMMENT ON TABLE automation_decisions IS
    'What sensors and schedules decided, and why; append-only';

COMMENT ON COLUMN automation_decisions.id IS
    'Row number, given by the database';
COMMENT ON COLUMN automation_decisions.company_id IS
    'Tenant; NULL = it concerns all';
COMMENT ON COLUMN automation_decisions.project_id IS
    'Project of the company; NULL = places without one, or the whole company';
COMMENT ON COLUMN automation_decisions.sensor IS
    'Sensor or schedule';
COMMENT ON COLUMN automation_decisions.cause IS
    'e.g. geometry, raster_version, new_vintage';
COMMENT ON COLUMN automation_decisions.object IS
    'What changed: a place, a slot, a project';
COMMENT ON COLUMN automation_decisions.old_version IS
    'Its version before';
COMMENT ON COLUMN automation_decisions.new_version IS
    'Its version now';
COMMENT ON COLUMN automation_decisions.decision IS
    'requested: a run; badge: left to a person; over_cap: as badge, too much; nothing: nothing stale; blocked: cannot be computed now';
COMMENT ON COLUMN automation_decisions.reason IS
    'Why, in words';
COMMENT ON COLUMN automation_decisions.partitions IS
    'Stale asset partitions';
COMMENT ON COLUMN automation_decisions.assets IS
    'Their asset keys';
COMMENT ON COLUMN automation_decisions.run_key IS
    'Run key of the requested run: Dagster starts one run for it';
COMMENT ON COLUMN automation_decisions.work_list_id IS
    'Row of work_lists, as long as that is kept';
COMMENT ON COLUMN automation_decisions.read_after IS
    'Row of the log that the sensor follows up to which it had read before';
COMMENT ON COLUMN automation_decisions.read_to IS
    'Row up to which it has read now';
COMMENT ON COLUMN automation_decisions.decided_at IS
    'When it was decided';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON automation_decisions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON automation_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE automation_decisions ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE automation_decisions ENABLE ALWAYS TRIGGER append_only_truncate;

GRANT SELECT, INSERT ON uploads, automation_decisions TO carbon_assets_app;
GRANT UPDATE (status, reason_code, reason, facts, taken_at, run_id) ON uploads
    TO carbon_assets_app;
