-- Which computation is current for a partition, and the lists of work.

CREATE TABLE asset_keys (
    id SMALLINT GENERATED ALWAYS AS IDENTITY,
    key TEXT NOT NULL,
    CONSTRAINT pk_asset_keys PRIMARY KEY (id),
    CONSTRAINT uq_asset_keys_key UNIQUE (key)
);

COMMENT ON TABLE asset_keys IS
    'Numbers of the partitioned assets';

COMMENT ON COLUMN asset_keys.id IS
    'Row number, given by the database';
COMMENT ON COLUMN asset_keys.key IS
    'e.g. raster_aggregates/land_cover';

CREATE TABLE partition_inputs (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    digest BYTEA NOT NULL,
    document JSONB NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_partition_inputs PRIMARY KEY (id),
    CONSTRAINT ck_partition_inputs_digest CHECK (octet_length(digest) = 32),
    CONSTRAINT uq_partition_inputs_digest UNIQUE (digest)
);

COMMENT ON TABLE partition_inputs IS
    'Shared input documents of computations; append-only';

COMMENT ON COLUMN partition_inputs.id IS
    'Row number, given by the database';
COMMENT ON COLUMN partition_inputs.digest IS
    'SHA-256 of the canonical JSON of the document, 32 bytes';
COMMENT ON COLUMN partition_inputs.document IS
    'The inputs other than geometry';
COMMENT ON COLUMN partition_inputs.recorded_at IS
    'When the document was first used';

CREATE TABLE partition_history (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    asset_id SMALLINT NOT NULL,
    farm_id INTEGER NOT NULL,
    vintage SMALLINT NOT NULL,
    geometry_version_id INTEGER,
    inputs_id INTEGER NOT NULL,
    upstream BIGINT,
    fingerprint BYTEA NOT NULL,
    cause TEXT NOT NULL,
    run_id TEXT,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_partition_history PRIMARY KEY (id),
    CONSTRAINT ck_partition_history_fingerprint CHECK (octet_length(fingerprint) = 32),
    CONSTRAINT fk_partition_history_asset_id FOREIGN KEY(asset_id) REFERENCES asset_keys (id),
    CONSTRAINT fk_partition_history_inputs_id FOREIGN KEY(inputs_id)
        REFERENCES partition_inputs (id)
);

CREATE INDEX ix_partition_history_asset_id_farm_id_vintage_id
    ON partition_history (asset_id, farm_id, vintage, id);

COMMENT ON TABLE partition_history IS
    'What became current for a partition, when and why; append-only';

COMMENT ON COLUMN partition_history.id IS
    'Row number, given by the database';
COMMENT ON COLUMN partition_history.asset_id IS
    'Asset';
COMMENT ON COLUMN partition_history.farm_id IS
    'Place';
COMMENT ON COLUMN partition_history.vintage IS
    'Calendar year';
COMMENT ON COLUMN partition_history.geometry_version_id IS
    'Geometry that was used';
COMMENT ON COLUMN partition_history.inputs_id IS
    'Shared inputs that were used';
COMMENT ON COLUMN partition_history.upstream IS
    'XOR of the tokens of the partitions read; NULL = none are read';
COMMENT ON COLUMN partition_history.fingerprint IS
    'Fingerprint of the computation, 32 bytes';
COMMENT ON COLUMN partition_history.cause IS
    'Why it was computed or confirmed';
COMMENT ON COLUMN partition_history.run_id IS
    'Dagster run; NULL = outside Dagster';
COMMENT ON COLUMN partition_history.recorded_at IS
    'When it became current';

CREATE TABLE partition_state (
    asset_id SMALLINT NOT NULL,
    farm_id INTEGER NOT NULL,
    vintage SMALLINT NOT NULL,
    history_id BIGINT NOT NULL,
    geometry_version_id INTEGER,
    inputs_id INTEGER NOT NULL,
    upstream BIGINT,
    fingerprint BYTEA NOT NULL,
    token BIGINT GENERATED ALWAYS AS (
        ('x' || encode(substring(fingerprint FROM 1 FOR 8), 'hex'))::bit(64)::bigint
    ) STORED NOT NULL,
    CONSTRAINT pk_partition_state PRIMARY KEY (asset_id, farm_id, vintage)
);

COMMENT ON TABLE partition_state IS
    'Newest row of partition_history per partition; written by its trigger only';

COMMENT ON COLUMN partition_state.asset_id IS
    'Asset';
COMMENT ON COLUMN partition_state.farm_id IS
    'Place';
COMMENT ON COLUMN partition_state.vintage IS
    'Calendar year';
COMMENT ON COLUMN partition_state.history_id IS
    'Row of partition_history';
COMMENT ON COLUMN partition_state.geometry_version_id IS
    'Geometry that was used';
COMMENT ON COLUMN partition_state.inputs_id IS
    'Shared inputs that were used';
COMMENT ON COLUMN partition_state.upstream IS
    'As in partition_history';
COMMENT ON COLUMN partition_state.fingerprint IS
    'As in partition_history';
COMMENT ON COLUMN partition_state.token IS
    'First 8 bytes of the fingerprint: cheap to combine over many partitions';

CREATE TABLE asset_announcements (
    asset_id SMALLINT NOT NULL,
    history_id BIGINT NOT NULL,
    CONSTRAINT pk_asset_announcements PRIMARY KEY (asset_id),
    CONSTRAINT fk_asset_announcements_asset_id FOREIGN KEY(asset_id) REFERENCES asset_keys (id)
);

COMMENT ON TABLE asset_announcements IS
    'How far Dagster knows the history';

COMMENT ON COLUMN asset_announcements.asset_id IS
    'Asset';
COMMENT ON COLUMN asset_announcements.history_id IS
    'Last row of partition_history told';

CREATE TABLE work_lists (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    purpose TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_work_lists PRIMARY KEY (id)
);

COMMENT ON TABLE work_lists IS
    'Partitions a run is narrowed to';

COMMENT ON COLUMN work_lists.id IS
    'Row number, given by the database';
COMMENT ON COLUMN work_lists.purpose IS
    'Why the run was requested';
COMMENT ON COLUMN work_lists.created_at IS
    'When the list was made';

CREATE TABLE work_list_items (
    work_list_id BIGINT NOT NULL,
    farm_id INTEGER NOT NULL,
    vintage SMALLINT NOT NULL,
    CONSTRAINT pk_work_list_items PRIMARY KEY (work_list_id, farm_id, vintage),
    CONSTRAINT fk_work_list_items_work_list_id FOREIGN KEY(work_list_id)
        REFERENCES work_lists (id) ON DELETE CASCADE
);

COMMENT ON TABLE work_list_items IS
    'Partitions of a work list';

COMMENT ON COLUMN work_list_items.work_list_id IS
    'List';
COMMENT ON COLUMN work_list_items.farm_id IS
    'Place';
COMMENT ON COLUMN work_list_items.vintage IS
    'Calendar year';
