"""The schema of a database as PostgreSQL's own catalogue tells it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

_QUERIES = {
    "columns": """
        SELECT c.relname || '.' || a.attname AS name,
            concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                CASE a.attidentity WHEN 'a' THEN 'ALWAYS IDENTITY' WHEN 'd' THEN 'IDENTITY' END,
                CASE WHEN a.attgenerated = 's' THEN 'GENERATED' END,
                'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)) AS value
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
            AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraints": """
        SELECT c.relname || '.' || k.conname AS name, pg_get_constraintdef(k.oid) AS value
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('c', 'f', 'p', 'u', 'x')""",
    "indexes": """
        SELECT tablename || '.' || indexname AS name, indexdef AS value
        FROM pg_indexes WHERE schemaname = 'public'""",
    "triggers": """
        SELECT c.relname || '.' || t.tgname AS name,
            pg_get_triggerdef(t.oid)
            || CASE t.tgenabled WHEN 'A' THEN ' ALWAYS' ELSE '' END AS value
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal""",
    "functions": """
        SELECT p.proname AS name,
            CASE WHEN p.prosecdef THEN 'SECURITY DEFINER ' ELSE '' END
            || array_to_string(p.proconfig, ' ') || ' sha256:'
            || encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex') AS value
        FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace""",
    "grants": """
        SELECT c.relname || coalesce('.' || a.attname, '') AS name,
            string_agg(p.privilege_type, ', ' ORDER BY p.privilege_type) AS value
        FROM pg_class c
        CROSS JOIN LATERAL (
            SELECT NULL::name AS attname, c.relacl AS acl
            UNION ALL
            SELECT attname, attacl FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL
        ) a
        CROSS JOIN LATERAL aclexplode(a.acl) p
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
            AND p.grantee IN (0, 'carbon_assets_app'::regrole)
        GROUP BY 1""",
    "schemas": """
        SELECT n.nspname AS name,
            string_agg(p.privilege_type, ', ' ORDER BY p.privilege_type) AS value
        FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) p
        WHERE n.nspname IN ('public', 'dagster', 'marts')
            AND p.grantee = 'carbon_assets_app'::regrole
        GROUP BY 1""",
}


def describe(connection: Connection) -> dict[str, Any]:
    """Return columns, constraints, indexes, triggers, functions and grants, sorted by name."""
    found: dict[str, Any] = {}
    for kind, query in _QUERIES.items():
        rows = connection.execute(text(query)).all()
        found[kind] = dict(sorted((str(name), value) for name, value in rows))
    return found
