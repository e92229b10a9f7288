-- description: One row per place and computed vintage, one column per headline metric of the whole
--   place, NULL where it is unknown. Boundaries overlap farms: choose one place_kind before adding
--   up. flags: {metric: [reservations]} of the metrics that carry any.
-- materialized: view
SELECT
    company_key,
    project_key,
    project_name,
    farm_id,
    farm_key,
    farm_name,
    place_kind,
    vintage,
    max(value) FILTER (WHERE metric_code = 'total_area') AS total_area_ha,
    max(value) FILTER (WHERE metric_code = 'observed_area') AS observed_area_ha,
    max(value) FILTER (WHERE metric_code = 'not_observed_area') AS not_observed_area_ha,
    max(value) FILTER (WHERE metric_code = 'forest_cover') AS forest_cover_ha,
    max(value) FILTER (WHERE metric_code = 'forest_cover_pct') AS forest_cover_pct,
    max(value) FILTER (WHERE metric_code = 'agb_density_mg_ha') AS agb_density_mg_ha,
    max(value) FILTER (WHERE metric_code = 'agb_stock_mg') AS agb_stock_mg,
    max(value) FILTER (WHERE metric_code = 'agb_carbon_density') AS agb_carbon_density_tc_ha,
    max(value) FILTER (WHERE metric_code = 'bgb_carbon_density') AS bgb_carbon_density_tc_ha,
    max(value) FILTER (WHERE metric_code = 'total_carbon_density') AS total_carbon_density_tc_ha,
    max(value) FILTER (WHERE metric_code = 'agb_carbon_stock') AS agb_carbon_stock_tc,
    max(value) FILTER (WHERE metric_code = 'bgb_carbon_stock') AS bgb_carbon_stock_tc,
    max(value) FILTER (WHERE metric_code = 'total_carbon_stock') AS total_carbon_stock_tc,
    coalesce(
        jsonb_object_agg(metric_code, flags) FILTER (WHERE flags <> '[]'), '{}'
    ) AS flags
FROM {{ ref('stg_farm_metrics') }}
WHERE stratum_filter IS NULL
GROUP BY
    company_key, project_key, project_name, farm_id, farm_key, farm_name, place_kind, vintage
