"""PostgreSQL: the embedded server, the schema and its migrations, fast writing."""
