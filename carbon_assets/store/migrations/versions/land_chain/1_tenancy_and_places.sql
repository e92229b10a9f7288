-- Tenants, projects, places and the history of their geometries.

CREATE TABLE companies (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_companies PRIMARY KEY (id),
    CONSTRAINT uq_companies_key UNIQUE (key)
);

COMMENT ON TABLE companies IS
    'Tenants';

COMMENT ON COLUMN companies.id IS
    'Row number, given by the database';
COMMENT ON COLUMN companies.key IS
    'Key that portfolio files use';
COMMENT ON COLUMN companies.name IS
    'Display name';
COMMENT ON COLUMN companies.created_at IS
    'When the company was registered';

CREATE TABLE projects (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    company_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    staleness_policy TEXT DEFAULT 'auto' NOT NULL,
    vintages SMALLINT[] DEFAULT '{}' NOT NULL,
    settings JSONB DEFAULT '{}' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_projects PRIMARY KEY (id),
    CONSTRAINT uq_projects_company_id_key UNIQUE (company_id, key),
    CONSTRAINT uq_projects_company_id_id UNIQUE (company_id, id),
    CONSTRAINT ck_projects_staleness_policy CHECK (staleness_policy IN ('auto', 'badge')),
    CONSTRAINT fk_projects_company_id FOREIGN KEY(company_id) REFERENCES companies (id)
);

COMMENT ON TABLE projects IS
    'Carbon projects of a company';

COMMENT ON COLUMN projects.id IS
    'Row number, given by the database';
COMMENT ON COLUMN projects.company_id IS
    'Tenant';
COMMENT ON COLUMN projects.key IS
    'Key that portfolio files use';
COMMENT ON COLUMN projects.name IS
    'Display name';
COMMENT ON COLUMN projects.staleness_policy IS
    'auto: a sensor requests runs for stale partitions; badge: a person does';
COMMENT ON COLUMN projects.vintages IS
    'Calendar years that are computed for every place of the project, ascending';
COMMENT ON COLUMN projects.settings IS
    'Project settings that need no column of their own';
COMMENT ON COLUMN projects.created_at IS
    'When the project was registered';

CREATE TABLE farms (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    company_id INTEGER NOT NULL,
    project_id INTEGER,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    partition_key TEXT,
    geometry_kind TEXT NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    biome TEXT,
    ecological_zone TEXT,
    geometry_version_id INTEGER,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_farms PRIMARY KEY (id),
    CONSTRAINT uq_farms_company_id_geometry_kind_key UNIQUE (company_id, geometry_kind, key),
    CONSTRAINT uq_farms_company_id_id UNIQUE (company_id, id),
    CONSTRAINT fk_farms_company_id_project_id FOREIGN KEY(company_id, project_id)
        REFERENCES projects (company_id, id),
    CONSTRAINT ck_farms_geometry_kind
        CHECK (geometry_kind IN ('farm', 'project_boundary', 'leakage_belt', 'reference_region',
         'jurisdiction')),
    CONSTRAINT ck_farms_status CHECK (status IN ('active', 'removed')),
    CONSTRAINT fk_farms_company_id FOREIGN KEY(company_id) REFERENCES companies (id),
    CONSTRAINT uq_farms_partition_key UNIQUE (partition_key)
);

CREATE INDEX ix_farms_project_id ON farms (project_id);

COMMENT ON TABLE farms IS
    'Places of every kind: farms, project boundaries, leakage belts, regions';

COMMENT ON COLUMN farms.id IS
    'Row number, given by the database';
COMMENT ON COLUMN farms.company_id IS
    'Tenant';
COMMENT ON COLUMN farms.project_id IS
    'Project of the same company; NULL = in none';
COMMENT ON COLUMN farms.key IS
    'Key that the user''s files use';
COMMENT ON COLUMN farms.name IS
    'Display name';
COMMENT ON COLUMN farms.partition_key IS
    'Permanent Dagster partition key, never re-used; NULL until set';
COMMENT ON COLUMN farms.geometry_kind IS
    'Kind of place';
COMMENT ON COLUMN farms.status IS
    'active, or removed (its history stays)';
COMMENT ON COLUMN farms.biome IS
    'Key in lookup_biome, when stated';
COMMENT ON COLUMN farms.ecological_zone IS
    'FAO ecological zone key, when stated';
COMMENT ON COLUMN farms.geometry_version_id IS
    'Current geometry; NULL = a place without a polygon';
COMMENT ON COLUMN farms.created_at IS
    'When the place was registered';

CREATE TABLE geometry_versions (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    company_id INTEGER NOT NULL,
    farm_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    geometry_hash TEXT NOT NULL,
    geometry BYTEA NOT NULL,
    area_ha DOUBLE PRECISION NOT NULL,
    bbox DOUBLE PRECISION[] NOT NULL,
    source_file TEXT NOT NULL,
    source_crs TEXT NOT NULL,
    source_feature TEXT NOT NULL,
    repaired BOOLEAN NOT NULL,
    repair_note TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_geometry_versions PRIMARY KEY (id),
    CONSTRAINT uq_geometry_versions_farm_id_version UNIQUE (farm_id, version),
    CONSTRAINT uq_geometry_versions_farm_id_geometry_hash UNIQUE (farm_id, geometry_hash),
    CONSTRAINT uq_geometry_versions_farm_id_id UNIQUE (farm_id, id),
    CONSTRAINT fk_geometry_versions_company_id_farm_id
        FOREIGN KEY(company_id, farm_id) REFERENCES farms (company_id, id),
    CONSTRAINT ck_geometry_versions_geometry_hash CHECK (geometry_hash ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT ck_geometry_versions_bbox CHECK (cardinality(bbox) = 4)
);

COMMENT ON TABLE geometry_versions IS
    'Distinct geometries of each place; append-only';

COMMENT ON COLUMN geometry_versions.id IS
    'Row number, given by the database';
COMMENT ON COLUMN geometry_versions.company_id IS
    'Tenant';
COMMENT ON COLUMN geometry_versions.farm_id IS
    'Place';
COMMENT ON COLUMN geometry_versions.version IS
    '1, 2, 3 … within the place';
COMMENT ON COLUMN geometry_versions.geometry_hash IS
    'SHA-256 of the WKB bytes';
COMMENT ON COLUMN geometry_versions.geometry IS
    'MultiPolygon, EPSG:4326 lon/lat on a 1e-9 degree grid, little-endian 2-D WKB';
COMMENT ON COLUMN geometry_versions.area_ha IS
    'Geodesic area on WGS 84, hectares';
COMMENT ON COLUMN geometry_versions.bbox IS
    'min lon, min lat, max lon, max lat, degrees';
COMMENT ON COLUMN geometry_versions.source_file IS
    'File the geometry was imported from';
COMMENT ON COLUMN geometry_versions.source_crs IS
    'Coordinate system of that file';
COMMENT ON COLUMN geometry_versions.source_feature IS
    'Feature within that file';
COMMENT ON COLUMN geometry_versions.repaired IS
    'Whether the import repaired the geometry';
COMMENT ON COLUMN geometry_versions.repair_note IS
    'What was repaired';
COMMENT ON COLUMN geometry_versions.created_at IS
    'When this geometry was first seen for the place';

CREATE TABLE geometry_edits (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    company_id INTEGER NOT NULL,
    farm_id INTEGER NOT NULL,
    geometry_version_id INTEGER,
    action TEXT NOT NULL,
    source_file TEXT NOT NULL,
    recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_geometry_edits PRIMARY KEY (id),
    CONSTRAINT fk_geometry_edits_company_id_farm_id FOREIGN KEY(company_id, farm_id)
        REFERENCES farms (company_id, id),
    CONSTRAINT fk_geometry_edits_farm_id_geometry_version_id
        FOREIGN KEY(farm_id, geometry_version_id) REFERENCES geometry_versions (farm_id, id),
    CONSTRAINT ck_geometry_edits_action
        CHECK (action IN ('added', 'changed', 'removed', 'restored'))
);

CREATE INDEX ix_geometry_edits_farm_id ON geometry_edits (farm_id);

COMMENT ON TABLE geometry_edits IS
    'Log of every change of a place''s geometry; append-only';

COMMENT ON COLUMN geometry_edits.id IS
    'Row number, given by the database';
COMMENT ON COLUMN geometry_edits.company_id IS
    'Tenant';
COMMENT ON COLUMN geometry_edits.farm_id IS
    'Place';
COMMENT ON COLUMN geometry_edits.geometry_version_id IS
    'Geometry from now on; NULL = the place was removed';
COMMENT ON COLUMN geometry_edits.action IS
    'added, changed, removed or restored';
COMMENT ON COLUMN geometry_edits.source_file IS
    'File that said so';
COMMENT ON COLUMN geometry_edits.recorded_at IS
    'When the edit was recorded';

-- A place and its geometries point at each other.
ALTER TABLE farms ADD CONSTRAINT fk_farms_id_geometry_version_id
    FOREIGN KEY (id, geometry_version_id) REFERENCES geometry_versions (farm_id, id);
