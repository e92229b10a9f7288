"""The files of ``dbt_like_sql``: where they lie, and what each says before it is resolved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field

from carbon_assets.errors import MartError
from carbon_assets.reference.yaml_files import load_yaml_model

FOLDER = "dbt_like_sql"
SOURCES = "sources.yaml"

Layer = Literal["staging", "marts"]
Materialized = Literal["view", "table"]

_NAME = r"[a-z][a-z0-9_]{0,62}"
REFERENCE = re.compile(rf"\{{\{{ *(ref|source)\( *'({_NAME})' *\) *\}}\}}")
"""``{{ ref('model') }}`` or ``{{ source('table') }}``; a name has no quote to break out of."""

_MARKUP = re.compile(r"\{\{.*|\{%.*|\{#.*")
_HEADER_LINE = re.compile(r"--(?: (description|materialized):|  ) *(.*)")
"""A key with its value, or an indented line that goes on with the value above."""

_BODY = re.compile(r"(?:\s|--[^\n]*\n)*(?:SELECT|WITH)\b", re.IGNORECASE)


class Source(BaseModel):
    """A table or view of schema ``public`` that models may read.

    Attributes:
        assets: Keys of the Dagster assets that write it.
        follows: ``history`` if it only changes when ``partition_history`` grows, ``rows`` if its
            rows may be edited in place.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    assets: tuple[str, ...] = ()
    follows: Literal["history", "rows"]


class _Sources(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: dict[Annotated[str, Field(pattern=rf"^{_NAME}$")], Source]


@dataclass(frozen=True)
class ModelFile:
    """A model as its file has it.

    Attributes:
        name: File name without ``.sql``; the name of the relation.
        layer: Folder that it lies in.
        description: What one row is.
        materialized: Whether it becomes a view or a table.
        body: One SELECT with unresolved references.
        where: Path below ``dbt_like_sql``, for messages.
    """

    name: str
    layer: Layer
    description: str
    materialized: Materialized
    body: str
    where: str

    def names(self, kind: Literal["ref", "source"]) -> tuple[str, ...]:
        """Names that it refers to, each once, in the order of the text."""
        found = (name for what, name in REFERENCE.findall(self.body) if what == kind)
        return tuple(dict.fromkeys(found))


def models_folder() -> Path:
    """Return ``dbt_like_sql``: inside an installed package, at the root of a checkout.

    Raises:
        MartError: ``MARTS_MISSING``.
    """
    package = Path(str(files("carbon_assets")))
    for folder in (package / FOLDER, package.parent / FOLDER):
        if (folder / SOURCES).is_file():
            return folder
    raise MartError(
        "MARTS_MISSING",
        f"the SQL models ({FOLDER}) are neither in the package nor beside it",
        where=str(package),
        do="install the package from its wheel, or work in a complete checkout",
    )


def read_sources(folder: Path) -> dict[str, Source]:
    """Read the allow-list of tables and views.

    Raises:
        MartError: ``MART_SOURCES_INVALID``.
    """
    path = folder / SOURCES
    return load_yaml_model(path, _Sources, error=MartError, code="MART_SOURCES_INVALID").sources


def read_model_files(folder: Path) -> Iterator[ModelFile]:
    """Read every model below a folder, layer by layer, sorted by name.

    Raises:
        MartError: ``MART_NAME_INVALID``, ``MART_HEADER_INVALID``, ``MART_NOT_ONE_SELECT``,
            ``MART_TEMPLATE_INVALID``.
    """
    for layer in get_args(Layer):
        for path in sorted((folder / layer).glob("*.sql")):
            yield _read(path, layer)


def _read(path: Path, layer: Layer) -> ModelFile:
    where = f"{layer}/{path.name}"
    if not re.fullmatch(_NAME, path.stem):
        raise MartError(
            "MART_NAME_INVALID",
            f"{path.stem!r} cannot name a relation",
            where=where,
            do="begin with a letter; use lower-case letters, digits and underscores, at most 63",
        )
    header, body = _split(path.read_text(encoding="utf-8"))
    materialized = header.get("materialized")
    if not header.get("description") or materialized not in get_args(Materialized):
        raise MartError(
            "MART_HEADER_INVALID",
            "a model begins with its description and with how it is materialized",
            where=where,
            do="write `-- description: …` and `-- materialized: view` (or table) at the top",
        )
    _require_select(body, where)
    _require_references(body, where)
    kind = cast(Materialized, materialized)
    return ModelFile(path.stem, layer, header["description"], kind, body, where)


def _split(text: str) -> tuple[dict[str, str], str]:
    """Take the comment lines at the top apart: keys, whose values may go on in the next line."""
    lines = text.splitlines()
    header: dict[str, str] = {}
    key = ""
    while lines and (match := _HEADER_LINE.fullmatch(lines[0].rstrip())):
        key = match[1] or key
        header[key] = f"{header.get(key, '')} {match[2].strip()}".strip()
        lines.pop(0)
    return header, "\n".join(line.rstrip() for line in lines).strip() + "\n"


def _require_select(body: str, where: str) -> None:
    if _BODY.match(body) and ";" not in body:
        return
    raise MartError(
        "MART_NOT_ONE_SELECT",
        "a model is one SELECT, or one WITH … SELECT, and holds no semicolon",
        where=where,
        do="split it into several models, or take the semicolon out",
    )


def _require_references(body: str, where: str) -> None:
    strange = _MARKUP.search(REFERENCE.sub("", body))
    if strange:
        raise MartError(
            "MART_TEMPLATE_INVALID",
            f"cannot read {strange[0].strip()!r}",
            where=where,
            do="write {{ ref('model') }} or {{ source('table') }}; there is no other markup",
        )
