-- The application's role: it owns nothing here and may do only this.

GRANT USAGE ON SCHEMA public TO carbon_assets_app;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO carbon_assets_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO carbon_assets_app;

GRANT INSERT, UPDATE ON companies, projects, farms, source_bindings, asset_announcements
    TO carbon_assets_app;
GRANT INSERT, UPDATE, DELETE ON file_hashes TO carbon_assets_app;
GRANT INSERT, DELETE ON work_lists, work_list_items TO carbon_assets_app;
GRANT INSERT, UPDATE (manifest_hash, registered_at) ON raster_data_sources TO carbon_assets_app;
GRANT INSERT ON
    geometry_versions, geometry_edits, raster_assets,
    raster_aggregates, raster_aggregate_inputs, farm_metrics, farm_metric_sources,
    asset_keys, partition_inputs
    TO carbon_assets_app;

-- The number and the time of a history row come from the database alone.
GRANT INSERT (
    asset_id, farm_id, vintage, geometry_version_id, inputs_id,
    upstream, fingerprint, cause, run_id
) ON partition_history TO carbon_assets_app;

-- Dagster keeps its own tables beside ours.
CREATE SCHEMA IF NOT EXISTS dagster;
GRANT USAGE, CREATE ON SCHEMA dagster TO carbon_assets_app;

-- Views and tables of the SQL models: the one place where the application makes its own.
CREATE SCHEMA IF NOT EXISTS marts;
GRANT USAGE, CREATE ON SCHEMA marts TO carbon_assets_app;
