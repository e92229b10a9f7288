-- Receipts (L1) and farm metrics (L2).

CREATE TABLE raster_aggregates (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    company_id INTEGER NOT NULL,
    raster_source_id INTEGER,
    raster_version TEXT NOT NULL,
    raster_asset_hrefs JSONB NOT NULL,
    raster_asset_hash TEXT,
    geometry_kind TEXT NOT NULL,
    geometry_id INTEGER NOT NULL,
    geometry_version TEXT NOT NULL,
    stratum_filter JSONB,
    vintage_year INTEGER NOT NULL,
    period_start DATE,
    period_end DATE,
    aggregate_method TEXT NOT NULL,
    metric_code TEXT NOT NULL,
    value DOUBLE PRECISION,
    value_unit TEXT NOT NULL,
    histogram JSONB,
    pixel_count BIGINT NOT NULL,
    pixel_nodata_count BIGINT NOT NULL,
    weighted_pixel_count DOUBLE PRECISION NOT NULL,
    covered_area_ha DOUBLE PRECISION NOT NULL,
    valid_area_ha DOUBLE PRECISION NOT NULL,
    uncertainty_pct_ci95 DOUBLE PRECISION,
    uncertainty_method TEXT,
    code_version TEXT NOT NULL,
    runner_key TEXT NOT NULL,
    computed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    inputs_fingerprint TEXT NOT NULL,
    context JSONB,
    CONSTRAINT pk_raster_aggregates PRIMARY KEY (id),
    CONSTRAINT uq_raster_aggregates_computation
        UNIQUE NULLS NOT DISTINCT (geometry_id, inputs_fingerprint, metric_code,
         aggregate_method, stratum_filter),
    CONSTRAINT fk_raster_aggregates_company_id_geometry_id
        FOREIGN KEY(company_id, geometry_id) REFERENCES farms (company_id, id),
    CONSTRAINT ck_raster_aggregates_geometry_kind
        CHECK (geometry_kind IN ('farm', 'project_boundary', 'leakage_belt', 'reference_region',
         'jurisdiction')),
    CONSTRAINT ck_raster_aggregates_geometry_version
        CHECK (geometry_version ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT ck_raster_aggregates_inputs_fingerprint
        CHECK (inputs_fingerprint ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT ck_raster_aggregates_value CHECK (value > '-Infinity' AND value < 'Infinity'),
    CONSTRAINT fk_raster_aggregates_raster_source_id FOREIGN KEY(raster_source_id)
        REFERENCES raster_data_sources (id),
    CONSTRAINT fk_raster_aggregates_metric_code FOREIGN KEY(metric_code)
        REFERENCES lookup_metric_type (code)
);

CREATE INDEX ix_raster_aggregates_geometry_id_vintage_year
    ON raster_aggregates (geometry_id, vintage_year);

CREATE INDEX ix_raster_aggregates_inputs_fingerprint ON raster_aggregates (inputs_fingerprint);

COMMENT ON TABLE raster_aggregates IS
    'Receipts of raster aggregation and surveys; immutable';

COMMENT ON COLUMN raster_aggregates.id IS
    'Row number, given by the database';
COMMENT ON COLUMN raster_aggregates.company_id IS
    'Tenant';
COMMENT ON COLUMN raster_aggregates.raster_source_id IS
    'Source version; NULL = survey or plots';
COMMENT ON COLUMN raster_aggregates.raster_version IS
    'Version of the source, e.g. col-10';
COMMENT ON COLUMN raster_aggregates.raster_asset_hrefs IS
    'Files that were read';
COMMENT ON COLUMN raster_aggregates.raster_asset_hash IS
    'SHA-256 of the file, or over the files'' hashes when several were read';
COMMENT ON COLUMN raster_aggregates.geometry_kind IS
    'Kind of the place';
COMMENT ON COLUMN raster_aggregates.geometry_id IS
    'Place (farms.id)';
COMMENT ON COLUMN raster_aggregates.geometry_version IS
    'Hash of the geometry that was used';
COMMENT ON COLUMN raster_aggregates.stratum_filter IS
    'Stratum taxonomy terms; NULL = the whole place';
COMMENT ON COLUMN raster_aggregates.vintage_year IS
    'Calendar year the number is for';
COMMENT ON COLUMN raster_aggregates.period_start IS
    'First day, where the window is not the calendar year';
COMMENT ON COLUMN raster_aggregates.period_end IS
    'Last day of that window, inclusive';
COMMENT ON COLUMN raster_aggregates.aggregate_method IS
    'mean, sum, class_histogram, std …: how cells were combined';
COMMENT ON COLUMN raster_aggregates.metric_code IS
    'What was measured';
COMMENT ON COLUMN raster_aggregates.value IS
    'The number in value_unit; NULL = no valid cell, or a histogram';
COMMENT ON COLUMN raster_aggregates.value_unit IS
    'Unit of value, as the source has it';
COMMENT ON COLUMN raster_aggregates.histogram IS
    'Per class id: hectares and covered cells';
COMMENT ON COLUMN raster_aggregates.pixel_count IS
    'Cells touched by the geometry';
COMMENT ON COLUMN raster_aggregates.pixel_nodata_count IS
    'Touched cells without data';
COMMENT ON COLUMN raster_aggregates.weighted_pixel_count IS
    'Sum of cell coverage, cells';
COMMENT ON COLUMN raster_aggregates.covered_area_ha IS
    'Covered cell area, hectares';
COMMENT ON COLUMN raster_aggregates.valid_area_ha IS
    'Part of it that has data, hectares';
COMMENT ON COLUMN raster_aggregates.uncertainty_pct_ci95 IS
    'Half-width of the 95 % interval, percent of value';
COMMENT ON COLUMN raster_aggregates.uncertainty_method IS
    'Where the uncertainty comes from: raster_layer, none …';
COMMENT ON COLUMN raster_aggregates.code_version IS
    'git commit, or package version';
COMMENT ON COLUMN raster_aggregates.runner_key IS
    'Runner, e.g. land_cover.mapbiomas';
COMMENT ON COLUMN raster_aggregates.computed_at IS
    'When the row was computed';
COMMENT ON COLUMN raster_aggregates.inputs_fingerprint IS
    'SHA-256 over everything the number depends on';
COMMENT ON COLUMN raster_aggregates.context IS
    'Facts for the reader: library versions, epoch, carbon fraction …';

CREATE TABLE raster_aggregate_inputs (
    raster_aggregate_id BIGINT NOT NULL,
    raster_asset_id INTEGER NOT NULL,
    role TEXT NOT NULL,
    CONSTRAINT pk_raster_aggregate_inputs PRIMARY KEY (raster_aggregate_id, raster_asset_id,
        role),
    CONSTRAINT fk_raster_aggregate_inputs_raster_aggregate_id
        FOREIGN KEY(raster_aggregate_id) REFERENCES raster_aggregates (id),
    CONSTRAINT fk_raster_aggregate_inputs_raster_asset_id FOREIGN KEY(raster_asset_id)
        REFERENCES raster_assets (id)
);

COMMENT ON TABLE raster_aggregate_inputs IS
    'Raster files behind each receipt; immutable';

COMMENT ON COLUMN raster_aggregate_inputs.raster_aggregate_id IS
    'Receipt';
COMMENT ON COLUMN raster_aggregate_inputs.raster_asset_id IS
    'Raster file';
COMMENT ON COLUMN raster_aggregate_inputs.role IS
    'Part it played: value, mask, uncertainty …';

CREATE TABLE farm_metrics (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    company_id INTEGER NOT NULL,
    farm_id INTEGER NOT NULL,
    metric_code TEXT NOT NULL,
    vintage_year INTEGER NOT NULL,
    stratum_filter JSONB,
    value_canonical DOUBLE PRECISION,
    unit_canonical TEXT NOT NULL,
    value_min_canonical DOUBLE PRECISION,
    value_max_canonical DOUBLE PRECISION,
    valid_share DOUBLE PRECISION,
    flags JSONB DEFAULT '[]' NOT NULL,
    source_tag TEXT NOT NULL,
    raster_aggregate_id BIGINT,
    formula TEXT NOT NULL,
    inputs_fingerprint TEXT NOT NULL,
    code_version TEXT NOT NULL,
    computed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_farm_metrics PRIMARY KEY (id),
    CONSTRAINT uq_farm_metrics_computation
        UNIQUE NULLS NOT DISTINCT (farm_id, inputs_fingerprint, metric_code, stratum_filter),
    CONSTRAINT fk_farm_metrics_company_id_farm_id FOREIGN KEY(company_id, farm_id)
        REFERENCES farms (company_id, id),
    CONSTRAINT ck_farm_metrics_inputs_fingerprint
        CHECK (inputs_fingerprint ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT ck_farm_metrics_value_canonical
        CHECK (value_canonical > '-Infinity' AND value_canonical < 'Infinity'),
    CONSTRAINT ck_farm_metrics_valid_share CHECK (valid_share >= 0 AND valid_share <= 1),
    CONSTRAINT fk_farm_metrics_metric_code FOREIGN KEY(metric_code)
        REFERENCES lookup_metric_type (code),
    CONSTRAINT fk_farm_metrics_raster_aggregate_id FOREIGN KEY(raster_aggregate_id)
        REFERENCES raster_aggregates (id)
);

CREATE INDEX ix_farm_metrics_farm_id_vintage_year ON farm_metrics (farm_id, vintage_year);

CREATE INDEX ix_farm_metrics_raster_aggregate_id ON farm_metrics (raster_aggregate_id);

COMMENT ON TABLE farm_metrics IS
    'Metrics of a place and year, derived from receipts; immutable';

COMMENT ON COLUMN farm_metrics.id IS
    'Row number, given by the database';
COMMENT ON COLUMN farm_metrics.company_id IS
    'Tenant';
COMMENT ON COLUMN farm_metrics.farm_id IS
    'Place';
COMMENT ON COLUMN farm_metrics.metric_code IS
    'What was measured';
COMMENT ON COLUMN farm_metrics.vintage_year IS
    'Calendar year the number is for';
COMMENT ON COLUMN farm_metrics.stratum_filter IS
    'Stratum taxonomy terms; NULL = the whole place';
COMMENT ON COLUMN farm_metrics.value_canonical IS
    'The number in unit_canonical; NULL = no data';
COMMENT ON COLUMN farm_metrics.unit_canonical IS
    'Unit of the value';
COMMENT ON COLUMN farm_metrics.value_min_canonical IS
    'Lower end of the 95 % interval, unit_canonical';
COMMENT ON COLUMN farm_metrics.value_max_canonical IS
    'Upper end of the 95 % interval, unit_canonical';
COMMENT ON COLUMN farm_metrics.valid_share IS
    'Area with data by covered area, 0 to 1';
COMMENT ON COLUMN farm_metrics.flags IS
    'Codes of reservations, e.g. LOW_VALID_SHARE';
COMMENT ON COLUMN farm_metrics.source_tag IS
    'Readable label of the origin';
COMMENT ON COLUMN farm_metrics.raster_aggregate_id IS
    'The receipt, when it is one';
COMMENT ON COLUMN farm_metrics.formula IS
    'How the value follows from its receipts';
COMMENT ON COLUMN farm_metrics.inputs_fingerprint IS
    'SHA-256 over everything the number depends on';
COMMENT ON COLUMN farm_metrics.code_version IS
    'git commit, or package version';
COMMENT ON COLUMN farm_metrics.computed_at IS
    'When the row was computed';

CREATE TABLE farm_metric_sources (
    farm_metric_id BIGINT NOT NULL,
    raster_aggregate_id BIGINT NOT NULL,
    role TEXT NOT NULL,
    CONSTRAINT pk_farm_metric_sources PRIMARY KEY (farm_metric_id, raster_aggregate_id, role),
    CONSTRAINT ck_farm_metric_sources_role
        CHECK (role IN ('primary', 'numerator', 'denominator')),
    CONSTRAINT fk_farm_metric_sources_farm_metric_id FOREIGN KEY(farm_metric_id)
        REFERENCES farm_metrics (id),
    CONSTRAINT fk_farm_metric_sources_raster_aggregate_id
        FOREIGN KEY(raster_aggregate_id) REFERENCES raster_aggregates (id)
);

CREATE INDEX ix_farm_metric_sources_raster_aggregate_id
    ON farm_metric_sources (raster_aggregate_id);

COMMENT ON TABLE farm_metric_sources IS
    'Receipts behind each farm metric; immutable';

COMMENT ON COLUMN farm_metric_sources.farm_metric_id IS
    'Farm metric';
COMMENT ON COLUMN farm_metric_sources.raster_aggregate_id IS
    'Receipt';
COMMENT ON COLUMN farm_metric_sources.role IS
    'primary, numerator, denominator';
