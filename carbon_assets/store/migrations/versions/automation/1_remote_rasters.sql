-- Rasters that lie behind https or s3 addresses, and their local mirrors.
SELECT 1;
