"""Conditions that queries share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, any_, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute


def among(column: InstrumentedAttribute[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """Return the condition that a column holds one of some values.

    All of them travel as one array: ``IN`` sends a parameter for each, and PostgreSQL takes no
    more than 65,535.
    """
    return column == any_(literal(list(values), ARRAY(column.type)))
