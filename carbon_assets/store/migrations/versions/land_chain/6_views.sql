-- What is current: the rows whose fingerprint is the state of their partition.

CREATE VIEW current_raster_aggregates WITH (security_invoker = true) AS
SELECT receipt.*, state.history_id
FROM partition_state AS state
JOIN asset_keys AS asset ON asset.id = state.asset_id
JOIN raster_aggregates AS receipt
    ON receipt.geometry_id = state.farm_id
    AND receipt.vintage_year = state.vintage
    AND receipt.inputs_fingerprint = 'sha256:' || encode(state.fingerprint, 'hex')
    AND asset.key = 'raster_aggregates/' || split_part(receipt.runner_key, '.', 1);

COMMENT ON VIEW current_raster_aggregates IS
    'Receipts that are current for their partition, with the history row that says so';

CREATE VIEW current_farm_metrics WITH (security_invoker = true) AS
SELECT metric.*, state.history_id
FROM partition_state AS state
JOIN asset_keys AS asset ON asset.id = state.asset_id AND asset.key = 'farm_metrics'
JOIN farm_metrics AS metric
    ON metric.farm_id = state.farm_id
    AND metric.vintage_year = state.vintage
    AND metric.inputs_fingerprint = 'sha256:' || encode(state.fingerprint, 'hex');

COMMENT ON VIEW current_farm_metrics IS
    'Farm metrics that are current for their partition, with the history row that says so';
