"""Models with their references resolved, in the order in which they can be made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from carbon_assets.errors import MartError
from carbon_assets.marts.files import (
    REFERENCE,
    SOURCES,
    Layer,
    Materialized,
    ModelFile,
    Source,
    models_folder,
    read_model_files,
    read_sources,
)
from carbon_assets.reference.yaml_files import suggestion

SCHEMA = "marts"


@dataclass(frozen=True)
class Model:
    """A SQL model, ready to be made into a relation of schema ``marts``.

    Attributes:
        name: Name of the relation.
        layer: ``staging`` or ``marts``.
        description: What one row is.
        materialized: ``view`` or ``table``.
        sql: One SELECT on qualified names.
        refs: Models that it reads.
        sources: Tables and views of schema ``public`` that it reads itself.
        assets: Keys of the Dagster assets that write those.
        digest: ``sha256:…`` over description, kind and SQL, its own and those of all models
            below it.
        where: File, below ``dbt_like_sql``.
    """

    name: str
    layer: Layer
    description: str
    materialized: Materialized
    sql: str
    refs: tuple[str, ...]
    sources: tuple[str, ...]
    assets: tuple[str, ...]
    digest: str
    where: str


@dataclass(frozen=True)
class ModelSet:
    """All models of a folder.

    Attributes:
        models: Each stands after those that it reads.
        sources: The tables and views that models may read.
    """

    models: tuple[Model, ...]
    sources: Mapping[str, Source]


def load_models(folder: Path | None = None) -> ModelSet:
    """Read, check, order and resolve the models of a folder.

    Args:
        folder: Holds ``sources.yaml``, ``staging/`` and ``marts/``; by default those that ship
            with the package.

    Raises:
        MartError: ``MARTS_MISSING``, ``MART_SOURCES_INVALID``, ``MART_NAME_INVALID``,
            ``MART_NAME_DUPLICATE``, ``MART_HEADER_INVALID``, ``MART_NOT_ONE_SELECT``,
            ``MART_TEMPLATE_INVALID``, ``MART_REF_UNKNOWN``, ``MART_SOURCE_UNKNOWN`` or
            ``MART_CYCLE``.
    """
    folder = folder or models_folder()
    sources = read_sources(folder)
    resolved: dict[str, Model] = {}
    for file in _ordered(_by_name(read_model_files(folder))):
        resolved[file.name] = _resolve(file, resolved, sources)
    return ModelSet(tuple(resolved.values()), sources)


def _by_name(model_files: Iterable[ModelFile]) -> dict[str, ModelFile]:
    found: dict[str, ModelFile] = {}
    for file in model_files:
        if file.name in found:
            raise MartError(
                "MART_NAME_DUPLICATE",
                f"two models are called {file.name}",
                where=f"{found[file.name].where}, {file.where}",
                do="rename one of them: all models share one schema",
            )
        found[file.name] = file
    return found


def _ordered(model_files: Mapping[str, ModelFile]) -> list[ModelFile]:
    for file in model_files.values():
        _require_known(file, "MART_REF_UNKNOWN", "model", file.names("ref"), model_files)
    graph = {name: file.names("ref") for name, file in model_files.items()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        raise MartError(
            "MART_CYCLE",
            f"models read each other in a circle: {' → '.join(circle)}",
            where=model_files[circle[0]].where,
            do="take one of these references out",
        ) from error
    return [model_files[name] for name in order]


def _resolve(
    file: ModelFile, resolved: Mapping[str, Model], sources: Mapping[str, Source]
) -> Model:
    refs, names = file.names("ref"), file.names("source")
    _require_known(file, "MART_SOURCE_UNKNOWN", f"source in {SOURCES}", names, sources)
    sql = REFERENCE.sub(_qualified, file.body)
    document = [file.description, file.materialized, sql, [resolved[ref].digest for ref in refs]]
    digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
    return Model(
        name=file.name,
        layer=file.layer,
        description=file.description,
        materialized=file.materialized,
        sql=sql,
        refs=refs,
        sources=names,
        assets=tuple(dict.fromkeys(key for name in names for key in sources[name].assets)),
        digest=f"sha256:{digest}",
        where=file.where,
    )


def _require_known(
    file: ModelFile, code: str, what: str, names: Iterable[str], known: Mapping[str, object]
) -> None:
    for name in names:
        if name not in known:
            raise MartError(
                code,
                f"there is no {what} called {name}{suggestion(name, sorted(known))}",
                where=file.where,
                do=f"choose among: {', '.join(sorted(known))}",
            )


def _qualified(reference: re.Match[str]) -> str:
    schema = SCHEMA if reference[1] == "ref" else "public"
    return f'"{schema}"."{reference[2]}"'
