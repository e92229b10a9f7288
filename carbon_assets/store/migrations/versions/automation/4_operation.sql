-- Upkeep: what keeps a long-lived installation small and restorable.

CREATE TABLE run_workers (
    run_id TEXT NOT NULL,
    host TEXT NOT NULL,
    process_space TEXT NOT NULL,
    pid INTEGER NOT NULL,
    process_started DOUBLE PRECISION NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_run_workers PRIMARY KEY (run_id)
);

COMMENT ON TABLE run_workers IS
    'Processes that execute runs now; a row whose process is gone tells of a crash';

COMMENT ON COLUMN run_workers.run_id IS
    'Dagster run';
COMMENT ON COLUMN run_workers.host IS
    'Name of the machine or container, for messages';
COMMENT ON COLUMN run_workers.process_space IS
    'Where the process number counts: host, boot and process namespace';
COMMENT ON COLUMN run_workers.pid IS
    'Process number';
COMMENT ON COLUMN run_workers.process_started IS
    'Start of the process, seconds since 1970: tells a process from a later one of its number';
COMMENT ON COLUMN run_workers.started_at IS
    'When the process took up the run';
COMMENT ON COLUMN run_workers.seen_at IS
    'Last sign of life';

GRANT SELECT, INSERT, UPDATE, DELETE ON run_workers TO carbon_assets_app;
