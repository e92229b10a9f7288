-- description: One row per project and vintage: sums over its farms, and over them only. A sum takes
--   in the farms whose value is known and is NULL where none is; how many are missing stands
--   beside it. Farms are added in a fixed order, so that a sum has the same digits each time.
-- materialized: table
WITH planned AS (
    SELECT company_key, project_key, project_name, vintage::integer AS vintage, count(*) AS farms
    FROM {{ ref('stg_places') }}
    CROSS JOIN LATERAL unnest(vintages) AS vintage
    WHERE place_kind = 'farm' AND project_key IS NOT NULL
    GROUP BY company_key, project_key, project_name, vintage
),

-- Materialized: computed once, whatever the planner thinks of the number of rows.
computed AS MATERIALIZED (
    SELECT
        company_key,
        project_key,
        vintage,
        count(*) AS farms,
        count(forest_cover_ha) AS farms_with_land_cover,
        count(total_carbon_stock_tc) AS farms_with_carbon,
        sum(total_area_ha ORDER BY farm_id) AS total_area_ha,
        sum(observed_area_ha ORDER BY farm_id) AS observed_area_ha,
        sum(not_observed_area_ha ORDER BY farm_id) AS not_observed_area_ha,
        sum(forest_cover_ha ORDER BY farm_id) AS forest_cover_ha,
        sum(agb_stock_mg ORDER BY farm_id) AS agb_stock_mg,
        sum(agb_carbon_stock_tc ORDER BY farm_id) AS agb_carbon_stock_tc,
        sum(bgb_carbon_stock_tc ORDER BY farm_id) AS bgb_carbon_stock_tc,
        sum(total_carbon_stock_tc ORDER BY farm_id) AS total_carbon_stock_tc
    FROM {{ ref('farm_metrics_wide') }}
    WHERE place_kind = 'farm'
    GROUP BY company_key, project_key, vintage
)

SELECT
    planned.company_key,
    planned.project_key,
    planned.project_name,
    planned.vintage,
    planned.farms,
    planned.farms - coalesce(computed.farms, 0) AS farms_not_computed,
    coalesce(computed.farms - computed.farms_with_land_cover, 0) AS farms_without_land_cover,
    coalesce(computed.farms - computed.farms_with_carbon, 0) AS farms_without_carbon,
    computed.total_area_ha,
    computed.observed_area_ha,
    computed.not_observed_area_ha,
    computed.forest_cover_ha,
    computed.agb_stock_mg,
    computed.agb_carbon_stock_tc,
    computed.bgb_carbon_stock_tc,
    computed.total_carbon_stock_tc
FROM planned
LEFT JOIN computed
    ON computed.company_key = planned.company_key
    AND computed.project_key = planned.project_key
    AND computed.vintage = planned.vintage
