"""Canonical JSON: one text for one document, on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import rfc8785


def canonical(document: Any) -> bytes:
    """Return the RFC 8785 form of a JSON-ready document, with decimals as strings.

    A float is written as its shortest exact decimal in a string, so that no reader has to
    agree with us on how to print a number.
    """
    return rfc8785.dumps(_plain(document))


def digest(document: Any) -> bytes:
    """SHA-256 over the canonical form, 32 bytes."""
    return hashlib.sha256(canonical(document)).digest()


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
