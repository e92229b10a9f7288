-- description: One row per active place with a polygon, of any kind. vintages: the years that are to
--   be known of it, computed or not: those of its project, or for a place in none, of all projects
--   of its company.
-- materialized: view
SELECT
    company.key AS company_key,
    company.name AS company_name,
    project.key AS project_key,
    project.name AS project_name,
    farm.id AS farm_id,
    farm.key AS farm_key,
    farm.name AS farm_name,
    farm.geometry_kind AS place_kind,
    CASE
        WHEN farm.project_id IS NOT NULL THEN project.vintages
        ELSE ARRAY(
            SELECT DISTINCT year
            FROM {{ source('projects') }} AS sibling
            CROSS JOIN LATERAL unnest(sibling.vintages) AS year
            WHERE sibling.company_id = farm.company_id
            ORDER BY year
        )
    END AS vintages
FROM {{ source('farms') }} AS farm
JOIN {{ source('companies') }} AS company ON company.id = farm.company_id
LEFT JOIN {{ source('projects') }} AS project ON project.id = farm.project_id
WHERE farm.status = 'active' AND farm.geometry_version_id IS NOT NULL
