-- description: Current receipts of active places, with the names of the place and of the source.
-- materialized: view
SELECT
    place.company_key,
    place.project_key,
    place.project_name,
    place.farm_id,
    place.farm_key,
    place.farm_name,
    place.place_kind,
    receipt.vintage_year AS vintage,
    receipt.runner_key,
    source.key AS source_key,
    receipt.raster_version AS source_version,
    source.epoch AS source_epoch,
    receipt.metric_code,
    receipt.aggregate_method,
    receipt.stratum_filter,
    receipt.value,
    receipt.value_unit,
    receipt.histogram,
    receipt.uncertainty_pct_ci95,
    receipt.uncertainty_method,
    receipt.pixel_count,
    receipt.pixel_nodata_count,
    receipt.covered_area_ha,
    receipt.valid_area_ha,
    receipt.id AS raster_aggregate_id,
    receipt.inputs_fingerprint,
    receipt.computed_at
FROM {{ ref('stg_places') }} AS place
JOIN {{ source('current_raster_aggregates') }} AS receipt
    ON receipt.geometry_id = place.farm_id AND receipt.vintage_year = ANY (place.vintages)
LEFT JOIN {{ source('raster_data_sources') }} AS source ON source.id = receipt.raster_source_id
