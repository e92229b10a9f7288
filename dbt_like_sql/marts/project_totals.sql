-- description: One row per project and vintage: sums over its farms, and over them only. A sum takes
--   in the farms whose value is known and is NULL where none is; how many are missing stands
--   beside it. Farms are added in a fixed order, so that a sum has the same digits each time.
-- materialized: table
SELECT
    place.company_key,
    place.project_key,
    place.project_name,
    place.vintage,
    count(*) AS farms,
    count(*) FILTER (WHERE metric.farm_id IS NULL) AS farms_not_computed,
    count(*) FILTER (WHERE metric.farm_id IS NOT NULL AND metric.forest_cover_ha IS NULL)
        AS farms_without_land_cover,
    count(*) FILTER (WHERE metric.farm_id IS NOT NULL AND metric.total_carbon_stock_tc IS NULL)
        AS farms_without_carbon,
    sum(metric.total_area_ha ORDER BY place.farm_id) AS total_area_ha,
    sum(metric.observed_area_ha ORDER BY place.farm_id) AS observed_area_ha,
    sum(metric.not_observed_area_ha ORDER BY place.farm_id) AS not_observed_area_ha,
    sum(metric.forest_cover_ha ORDER BY place.farm_id) AS forest_cover_ha,
    sum(metric.agb_stock_mg ORDER BY place.farm_id) AS agb_stock_mg,
    sum(metric.agb_carbon_stock_tc ORDER BY place.farm_id) AS agb_carbon_stock_tc,
    sum(metric.bgb_carbon_stock_tc ORDER BY place.farm_id) AS bgb_carbon_stock_tc,
    sum(metric.total_carbon_stock_tc ORDER BY place.farm_id) AS total_carbon_stock_tc
FROM {{ ref('stg_place_vintages') }} AS place
LEFT JOIN {{ ref('farm_metrics_wide') }} AS metric
    ON metric.farm_id = place.farm_id AND metric.vintage = place.vintage
WHERE place.place_kind = 'farm' AND place.project_key IS NOT NULL
GROUP BY place.company_key, place.project_key, place.project_name, place.vintage
