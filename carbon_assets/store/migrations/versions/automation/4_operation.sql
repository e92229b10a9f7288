-- Upkeep: what keeps a long-lived installation small and restorable.
SELECT 1;
