-- Files that arrived in the watched folder.
SELECT 1;
