# One image for code server, web server, daemon and command line: Dagster's storage and run
# launcher are classes of this package, so each of them needs it.
FROM python:3.13-slim-bookworm AS build
COPY --from=ghcr.io/astral-sh/uv:0.13.7 /uv /usr/local/bin/uv
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /app
# Dependencies change seldom and are a layer of their own.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --extra dask --no-install-project
COPY carbon_assets carbon_assets
COPY dbt_like_sql dbt_like_sql
RUN uv sync --locked --no-dev --extra dask --no-editable

FROM python:3.13-slim-bookworm
# rasterio's wheel asks the system for libexpat.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /nonexistent carbon \
    && install --directory --owner=carbon --group=carbon \
        /data /inbox /rasters /dagster/storage /dagster/logs
COPY --from=build /app/.venv /app/.venv
COPY dagster.yaml /dagster/dagster.yaml
COPY deploy/workspace.yaml /dagster/workspace.yaml
ENV PATH=/app/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    CARBON_HOME=/data \
    CARBON_LOG=json \
    DAGSTER_HOME=/dagster
USER 10001:10001
WORKDIR /data
CMD ["carbon-assets", "--help"]
