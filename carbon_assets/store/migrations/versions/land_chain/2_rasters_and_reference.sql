-- Raster sources and files, the cache of file hashes, reference terms.

CREATE TABLE raster_data_sources (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    family TEXT NOT NULL,
    title TEXT NOT NULL,
    quantity_kind TEXT NOT NULL,
    storage_tier TEXT NOT NULL,
    uri_pattern TEXT NOT NULL,
    manifest_hash TEXT NOT NULL,
    catalogue JSONB NOT NULL,
    licence TEXT NOT NULL,
    citation TEXT NOT NULL,
    epoch INTEGER,
    registered_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_raster_data_sources PRIMARY KEY (id),
    CONSTRAINT uq_raster_data_sources_key_version UNIQUE (key, version),
    CONSTRAINT ck_raster_data_sources_storage_tier
        CHECK (storage_tier IN ('local', 'https', 's3')),
    CONSTRAINT ck_raster_data_sources_manifest_hash
        CHECK (manifest_hash ~ '^sha256:[0-9a-f]{64}$')
);

COMMENT ON TABLE raster_data_sources IS
    'Registered versions of raster sources; only the manifest may change';

COMMENT ON COLUMN raster_data_sources.id IS
    'Row number, given by the database';
COMMENT ON COLUMN raster_data_sources.key IS
    'Source key, e.g. mapbiomas-brazil';
COMMENT ON COLUMN raster_data_sources.version IS
    'Version, e.g. col-10';
COMMENT ON COLUMN raster_data_sources.family IS
    'Short family name, second part of runner keys';
COMMENT ON COLUMN raster_data_sources.title IS
    'Title of the product';
COMMENT ON COLUMN raster_data_sources.quantity_kind IS
    'What a cell holds, e.g. class_map, biomass, carbon_density';
COMMENT ON COLUMN raster_data_sources.storage_tier IS
    'Where the files lie';
COMMENT ON COLUMN raster_data_sources.uri_pattern IS
    'Address pattern of the files';
COMMENT ON COLUMN raster_data_sources.manifest_hash IS
    'SHA-256 over the registered files'' hashes: the data version of the source';
COMMENT ON COLUMN raster_data_sources.catalogue IS
    'The validated catalogue entry';
COMMENT ON COLUMN raster_data_sources.licence IS
    'Licence of the product';
COMMENT ON COLUMN raster_data_sources.citation IS
    'How to cite the product';
COMMENT ON COLUMN raster_data_sources.epoch IS
    'Year that a static product describes; NULL = it has vintages';
COMMENT ON COLUMN raster_data_sources.registered_at IS
    'When the manifest was last registered';

CREATE TABLE raster_assets (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    raster_source_id INTEGER NOT NULL,
    band TEXT NOT NULL,
    vintage INTEGER,
    tile TEXT,
    href TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    header JSONB NOT NULL,
    registered_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_raster_assets PRIMARY KEY (id),
    CONSTRAINT uq_raster_assets_content
        UNIQUE NULLS NOT DISTINCT (raster_source_id, band, vintage, tile, href, content_hash),
    CONSTRAINT ck_raster_assets_content_hash CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT fk_raster_assets_raster_source_id FOREIGN KEY(raster_source_id)
        REFERENCES raster_data_sources (id)
);

COMMENT ON TABLE raster_assets IS
    'Raster files as registered; new content is a new row; append-only';

COMMENT ON COLUMN raster_assets.id IS
    'Row number, given by the database';
COMMENT ON COLUMN raster_assets.raster_source_id IS
    'Source version';
COMMENT ON COLUMN raster_assets.band IS
    'Band name in the catalogue';
COMMENT ON COLUMN raster_assets.vintage IS
    'Year; NULL = static product';
COMMENT ON COLUMN raster_assets.tile IS
    'Tile name; NULL = one file';
COMMENT ON COLUMN raster_assets.href IS
    'Path or URL that was read';
COMMENT ON COLUMN raster_assets.content_hash IS
    'SHA-256 of the file''s bytes';
COMMENT ON COLUMN raster_assets.size_bytes IS
    'Size of the file, bytes';
COMMENT ON COLUMN raster_assets.header IS
    'Header as read: CRS, transform, shape, dtype, nodata, blocks';
COMMENT ON COLUMN raster_assets.registered_at IS
    'When this content was first seen';

CREATE TABLE file_hashes (
    href TEXT NOT NULL,
    device BIGINT NOT NULL,
    inode BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    mtime_ns BIGINT NOT NULL,
    content_hash TEXT NOT NULL,
    hashed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_file_hashes PRIMARY KEY (href)
);

COMMENT ON TABLE file_hashes IS
    'Cache of content hashes of local files; may be emptied at any time';

COMMENT ON COLUMN file_hashes.href IS
    'Path of the file';
COMMENT ON COLUMN file_hashes.device IS
    'Device number (stat)';
COMMENT ON COLUMN file_hashes.inode IS
    'Inode number (stat)';
COMMENT ON COLUMN file_hashes.size_bytes IS
    'Size, bytes (stat)';
COMMENT ON COLUMN file_hashes.mtime_ns IS
    'Modification time, ns since 1970 (stat)';
COMMENT ON COLUMN file_hashes.content_hash IS
    'SHA-256 of the file''s bytes';
COMMENT ON COLUMN file_hashes.hashed_at IS
    'When the file was hashed';

CREATE TABLE lookup_metric_type (
    code TEXT NOT NULL,
    label TEXT NOT NULL,
    unit TEXT NOT NULL,
    kind TEXT NOT NULL,
    description TEXT NOT NULL,
    source TEXT NOT NULL,
    CONSTRAINT pk_lookup_metric_type PRIMARY KEY (code)
);

COMMENT ON TABLE lookup_metric_type IS
    'Metrics and their canonical units';

COMMENT ON COLUMN lookup_metric_type.code IS
    'e.g. agb_density_mg_ha';
COMMENT ON COLUMN lookup_metric_type.label IS
    'Display name';
COMMENT ON COLUMN lookup_metric_type.unit IS
    'Canonical unit';
COMMENT ON COLUMN lookup_metric_type.kind IS
    'What sort of quantity: area, density, share …';
COMMENT ON COLUMN lookup_metric_type.description IS
    'What the number means';
COMMENT ON COLUMN lookup_metric_type.source IS
    'Where the definition comes from';

CREATE TABLE lookup_biome (
    key TEXT NOT NULL,
    label TEXT NOT NULL,
    carbon_fraction DOUBLE PRECISION,
    description TEXT,
    source TEXT NOT NULL,
    CONSTRAINT pk_lookup_biome PRIMARY KEY (key),
    CONSTRAINT ck_lookup_biome_carbon_fraction
        CHECK (carbon_fraction > '-Infinity' AND carbon_fraction < 'Infinity')
);

COMMENT ON TABLE lookup_biome IS
    'Biomes; the carbon fraction serves biomass products only';

COMMENT ON COLUMN lookup_biome.key IS
    'e.g. amazon';
COMMENT ON COLUMN lookup_biome.label IS
    'Display name';
COMMENT ON COLUMN lookup_biome.carbon_fraction IS
    'tonnes of carbon per tonne of dry matter; NULL = none stated';
COMMENT ON COLUMN lookup_biome.description IS
    'What the biome covers';
COMMENT ON COLUMN lookup_biome.source IS
    'Where the value comes from';

CREATE TABLE source_bindings (
    id INTEGER GENERATED ALWAYS AS IDENTITY,
    company_id INTEGER NOT NULL,
    slot TEXT NOT NULL,
    raster_source_id INTEGER NOT NULL,
    hrefs JSONB NOT NULL,
    manifest_hash TEXT NOT NULL,
    bound_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_source_bindings PRIMARY KEY (id),
    CONSTRAINT uq_source_bindings_company_id_slot UNIQUE (company_id, slot),
    CONSTRAINT ck_source_bindings_manifest_hash
        CHECK (manifest_hash ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT fk_source_bindings_company_id FOREIGN KEY(company_id) REFERENCES companies (id),
    CONSTRAINT fk_source_bindings_raster_source_id FOREIGN KEY(raster_source_id)
        REFERENCES raster_data_sources (id)
);

COMMENT ON TABLE source_bindings IS
    'The rasters that feed each runner, per company';

COMMENT ON COLUMN source_bindings.id IS
    'Row number, given by the database';
COMMENT ON COLUMN source_bindings.company_id IS
    'Tenant';
COMMENT ON COLUMN source_bindings.slot IS
    'What the source feeds, e.g. land_cover, biomass';
COMMENT ON COLUMN source_bindings.raster_source_id IS
    'Source version';
COMMENT ON COLUMN source_bindings.hrefs IS
    '{band: address} with the placeholders {vintage} and {tile}';
COMMENT ON COLUMN source_bindings.manifest_hash IS
    'SHA-256 over the contents of all its registered files';
COMMENT ON COLUMN source_bindings.bound_at IS
    'When the binding was last renewed';
