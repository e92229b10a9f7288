-- description: What is to be known: one row per active place with a polygon and vintage of its
--   project (of any project of the company, for a place in none), computed or not.
-- materialized: view
WITH company_vintages AS (
    SELECT DISTINCT project.company_id, year AS vintage
    FROM {{ source('projects') }} AS project
    CROSS JOIN LATERAL unnest(project.vintages) AS year
),

project_vintages AS (
    SELECT DISTINCT project.id AS project_id, year AS vintage
    FROM {{ source('projects') }} AS project
    CROSS JOIN LATERAL unnest(project.vintages) AS year
)

SELECT
    company.key AS company_key,
    company.name AS company_name,
    project.key AS project_key,
    project.name AS project_name,
    farm.id AS farm_id,
    farm.key AS farm_key,
    farm.name AS farm_name,
    farm.geometry_kind AS place_kind,
    year.vintage,
    lag(year.vintage) OVER (PARTITION BY farm.id ORDER BY year.vintage) AS previous_vintage
FROM {{ source('farms') }} AS farm
JOIN {{ source('companies') }} AS company ON company.id = farm.company_id
LEFT JOIN {{ source('projects') }} AS project ON project.id = farm.project_id
JOIN LATERAL (
    SELECT vintage FROM project_vintages WHERE project_id = farm.project_id
    UNION ALL
    SELECT vintage FROM company_vintages
    WHERE farm.project_id IS NULL AND company_id = farm.company_id
) AS year ON true
WHERE farm.status = 'active' AND farm.geometry_version_id IS NOT NULL
