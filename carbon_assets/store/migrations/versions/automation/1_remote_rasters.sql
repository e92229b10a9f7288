-- Rasters that lie behind https or s3 addresses, and their local mirrors.

CREATE TABLE remote_files (
    href TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    etag TEXT,
    last_modified TEXT,
    telling BOOLEAN NOT NULL,
    ranges BOOLEAN NOT NULL,
    content_hash TEXT NOT NULL,
    hashed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_remote_files PRIMARY KEY (href),
    CONSTRAINT ck_remote_files_content_hash CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$')
);

COMMENT ON TABLE remote_files IS
    'Cache of content hashes of remote files, by address; may be emptied at any time';

COMMENT ON COLUMN remote_files.href IS
    'https or s3 address';
COMMENT ON COLUMN remote_files.size_bytes IS
    'Size, bytes, as the server said';
COMMENT ON COLUMN remote_files.etag IS
    'Entity tag; NULL = the server gave none';
COMMENT ON COLUMN remote_files.last_modified IS
    'Time of change as the server wrote it; NULL = it gave none';
COMMENT ON COLUMN remote_files.telling IS
    'Whether other bytes must show in size, entity tag or time; if not, the file is read again each time';
COMMENT ON COLUMN remote_files.ranges IS
    'Whether the server gives parts of files';
COMMENT ON COLUMN remote_files.content_hash IS
    'SHA-256 of the file''s bytes';
COMMENT ON COLUMN remote_files.hashed_at IS
    'When the file was read';

CREATE TABLE raster_copies (
    path TEXT NOT NULL,
    content_hash TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    href TEXT NOT NULL,
    copied_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_raster_copies PRIMARY KEY (path),
    CONSTRAINT ck_raster_copies_content_hash CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$')
);

CREATE INDEX ix_raster_copies_content_hash ON raster_copies (content_hash);

COMMENT ON TABLE raster_copies IS
    'Mirrored rasters: files whose bytes stand in for a remote address';

COMMENT ON COLUMN raster_copies.path IS
    'Where the copy lies';
COMMENT ON COLUMN raster_copies.content_hash IS
    'SHA-256 of its bytes';
COMMENT ON COLUMN raster_copies.size_bytes IS
    'Size, bytes';
COMMENT ON COLUMN raster_copies.href IS
    'Address that it was fetched from';
COMMENT ON COLUMN raster_copies.copied_at IS
    'When it was fetched';

GRANT SELECT, INSERT, UPDATE, DELETE ON remote_files, raster_copies TO carbon_assets_app;
