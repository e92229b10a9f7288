-- description: Current farm metrics of active places, with the names of place and metric. A value
--   is NULL where it is unknown, and its flags say why.
-- materialized: view
SELECT
    place.company_key,
    place.project_key,
    place.project_name,
    place.farm_id,
    place.farm_key,
    place.farm_name,
    place.place_kind,
    metric.vintage_year AS vintage,
    (
        SELECT max(year)::integer FROM unnest(place.vintages) AS year
        WHERE year < metric.vintage_year
    ) AS previous_vintage,
    metric.metric_code,
    metric_type.label AS metric_label,
    metric.stratum_filter,
    metric.value_canonical AS value,
    metric.unit_canonical AS unit,
    metric.value_min_canonical AS value_min,
    metric.value_max_canonical AS value_max,
    metric.valid_share,
    metric.flags,
    metric.source_tag,
    metric.formula,
    metric.id AS farm_metric_id,
    metric.inputs_fingerprint,
    metric.computed_at
FROM {{ ref('stg_places') }} AS place
JOIN {{ source('current_farm_metrics') }} AS metric
    ON metric.farm_id = place.farm_id AND metric.vintage_year = ANY (place.vintages)
LEFT JOIN {{ source('lookup_metric_type') }} AS metric_type ON metric_type.code = metric.metric_code
