"""What every reference row says about where it comes from, and how CSV files are read."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from carbon_assets.errors import CatalogueError
from carbon_assets.reference.yaml_files import Problem, raise_problems, suggestion

Confidence = Literal["primary", "secondary", "recalled", "own"]
"""How well a fact is known.

``primary``: read in the primary document or data; ``secondary``: read in somebody's
restatement of it; ``recalled``: well known, not read again, so check it before quoting it
to a verifier; ``own``: not a fact but a choice made here.
"""


class Frozen(BaseModel):
    """A reference record: immutable, and no field is accepted that it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(Frozen):
    """A row of a reference CSV file; an empty cell means "not stated".

    Attributes:
        source: Where the fact is from.
        confidence: How well it is known there.
    """

    source: str = Field(min_length=1)
    confidence: Confidence

    @model_validator(mode="before")
    @classmethod
    def _empty_is_none(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {name: None if value == "" else value for name, value in data.items()}
        return data


RowModel = TypeVar("RowModel", bound=Row)


def load_rows(path: Path, model: type[RowModel], *, key: str) -> tuple[RowModel, ...]:
    """Read and validate a reference CSV file.

    Args:
        path: The file; its header names exactly the model's fields.
        model: What each row must be.
        key: The field in which no two rows may be equal.

    Raises:
        CatalogueError: ``REFERENCE_INVALID`` with one ``file:line column: message`` per
            problem.
    """
    records = _records(path, list(model.model_fields))
    rows: list[RowModel] = []
    problems: list[Problem] = []
    seen: dict[object, int] = {}
    for line, record in records:
        try:
            row = model.model_validate(record)
        except ValidationError as invalid:
            problems += [_problem(path, line, item) for item in invalid.errors()]
            continue
        value = getattr(row, key)
        if value in seen:
            message = f"{value!r} stands on line {seen[value]} already"
            problems.append(Problem(str(path), line, key, message))
        seen[value] = line
        rows.append(row)
    raise_problems(problems, error=CatalogueError, code="REFERENCE_INVALID")
    return tuple(rows)


def _records(path: Path, columns: list[str]) -> list[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            raise_problems(
                _header_problems(path, list(reader.fieldnames or ()), columns),
                error=CatalogueError,
                code="REFERENCE_INVALID",
            )
            return [(reader.line_num, record) for record in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as unreadable:
        raise CatalogueError(
            "REFERENCE_INVALID", f"{path}: cannot be read: {unreadable}"
        ) from unreadable


def _header_problems(path: Path, given: list[str], wanted: list[str]) -> list[Problem]:
    unknown = [
        Problem(str(path), 1, name, f"unknown column{suggestion(name, wanted)}")
        for name in given
        if name not in wanted
    ]
    missing = [
        Problem(str(path), 1, name, "column is missing") for name in wanted if name not in given
    ]
    return unknown + missing


def _problem(path: Path, line: int, item: Any) -> Problem:
    field = str(item["loc"][0]) if item["loc"] else ""
    message = item["msg"].removeprefix("Value error, ")
    return Problem(str(path), line, field if field != "None" else "(extra cell)", message)
