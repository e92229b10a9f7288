-- description: One row per place, computed vintage and land cover group of its legend. A group that
--   does not occur has 0 ha; NULL where nothing was observed. change_ha is against the vintage
--   before, and only stated where both leave the same area unobserved: clouds are no clearing.
-- materialized: view
-- The windows repeat the keys of a place, so that a filter on one of them reaches the tables.
WITH area AS (
    SELECT
        metric.*,
        max(value) FILTER (WHERE metric_code = 'total_area') OVER place AS total_area_ha,
        max(value) FILTER (WHERE metric_code = 'not_observed_area') OVER place
            AS not_observed_area_ha
    FROM {{ ref('stg_farm_metrics') }} AS metric
    WHERE stratum_filter IS NULL
    WINDOW place AS (
        PARTITION BY company_key, project_key, place_kind, farm_key, farm_id, vintage
    )
),

paired AS (
    SELECT
        area.*,
        lag(value) OVER earlier AS earlier_value,
        lag(vintage) OVER earlier = previous_vintage
            AND abs(not_observed_area_ha - lag(not_observed_area_ha) OVER earlier)
            <= 1e-9 * total_area_ha AS is_comparable
    FROM area
    WHERE metric_code IN (
        'natural_forest_area', 'savanna_area', 'natural_non_forest_area', 'pasture_area',
        'agriculture_area', 'forest_plantation_area', 'mosaic_area', 'non_vegetated_area',
        'water_area', 'aggregate_area'
    )
    WINDOW earlier AS (
        PARTITION BY company_key, project_key, place_kind, farm_key, farm_id, metric_code
        ORDER BY vintage
    )
)

SELECT
    company_key,
    project_key,
    project_name,
    farm_id,
    farm_key,
    farm_name,
    place_kind,
    vintage,
    regexp_replace(metric_code, '_area$', '') AS land_cover_group,
    value AS area_ha,
    not_observed_area_ha,
    previous_vintage,
    CASE WHEN is_comparable THEN value - earlier_value END AS change_ha
FROM paired
