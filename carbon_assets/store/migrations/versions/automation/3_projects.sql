-- Assets partitioned by project and vintage.
SELECT 1;
