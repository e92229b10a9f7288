"""Canonical JSON: one text for one document, on every machine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import rfc8785


def canonical(document: Any) -> bytes:
    """Return the RFC 8785 form of a document, with decimals as strings.

    Args:
        document: What :func:`plain` takes.
    """
    return rfc8785.dumps(plain(document))


def digest(document: Any) -> bytes:
    """SHA-256 over the canonical form, 32 bytes."""
    return hashlib.sha256(canonical(document)).digest()


def plain(value: Any) -> Any:
    """Return a document as canonical JSON and the database hold it.

    A float becomes its shortest exact decimal in a string, so that no reader, and no JSONB
    column, has to agree with us on how to print a number.

    Args:
        value: Mappings with text keys, lists and tuples of texts, integers, floats, booleans
            and None.

    Raises:
        ValueError: For NaN and infinity.
        TypeError: For a key that is not a text: ``1`` and ``"1"`` would become one.
    """
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no place in a canonical document")
        return float.__repr__(value)
    if isinstance(value, Mapping):
        return {_text(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def _text(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"the key {key!r} is not a text")
    return key
