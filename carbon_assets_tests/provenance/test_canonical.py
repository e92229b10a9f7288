"""Canonical JSON against the vectors of RFC 8785, and what makes it ours: decimals as texts."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carbon_assets.provenance.canonical import canonical, digest, plain
from carbon_assets.provenance.fingerprint import InputDocument, as_bytes, as_text, causes

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip


def test_strings_and_literals_of_rfc_8785_section_3_2_2() -> None:
    document = {
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(document).decode() == (
        '{"literals":[null,true,false],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_sorted_by_utf_16_units_as_in_rfc_8785_section_3_2_3() -> None:
    document = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    order = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(json.loads(canonical(document))) == order


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, '"0.1"'), (1.0, '"1.0"'), (1e21, '"1e+21"'), (5e-324, '"5e-324"'), (1, "1")],
)
def test_decimals_are_texts_and_integers_are_not(value: float, text: str) -> None:
    assert canonical(value).decode() == text


def test_a_numpy_float_is_written_as_the_number_that_it_is() -> None:
    assert canonical(np.float64(0.1)) == canonical(0.1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_document_holds_what_is_not_a_number(value: float) -> None:
    with pytest.raises(ValueError, match="no place"):
        canonical({"a": [value]})


def test_keys_that_would_fall_together_are_refused() -> None:
    with pytest.raises(TypeError, match="not a text"):
        canonical({1: "a", "1": "b"})


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS)
def test_what_is_stored_has_the_digest_that_it_is_stored_under(document: Any) -> None:
    stored = json.loads(json.dumps(plain(document)))
    assert digest(stored) == digest(document)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), DOCUMENTS))
def test_order_of_keys_does_not_matter(document: dict[str, Any]) -> None:
    assert digest(dict(reversed(document.items()))) == digest(document)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.text(), DOCUMENTS),
    st.text(min_size=1),
    st.none() | st.text(),
    st.lists(st.binary(min_size=32, max_size=32)),
)
def test_the_joined_text_is_the_canonical_form_of_the_whole(
    inputs: dict[str, Any], asset: str, geometry: str | None, upstream: list[bytes]
) -> None:
    whole = {
        "asset": asset,
        "fingerprint": 1,
        "geometry": geometry,
        "inputs": inputs,
        "upstream": [one.hex() for one in upstream],
    }
    document = InputDocument(asset, inputs)
    assert document.fingerprint(geometry, upstream) == digest(whole)
    assert document.digest == digest(inputs)


def test_a_fingerprint_as_text_and_back() -> None:
    mark = digest({"a": 1})
    assert as_text(mark).startswith("sha256:")
    assert as_bytes(as_text(mark)) == mark


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"rasters": {"land_cover": ["b"]}}, ("raster_version",)),
        ({"reference": {"legend": 2}}, ("reference_data",)),
        ({"parameters": {"x": 1.0}}, ("parameter",)),
        ({"code": "sha256:1"}, ("code",)),
        ({"numerics": "sha256:1"}, ("library",)),
        ({"runner": "biomass.other"}, ("parameter",)),
        ({"runner": "biomass.other", "code": "x"}, ("code", "parameter")),
        ({}, ()),
    ],
)
def test_each_part_of_a_document_is_a_cause_of_its_own(
    changed: dict[str, Any], cause: tuple[str, ...]
) -> None:
    recorded = {
        "runner": "biomass.hgb",
        "vintage": 2020,
        "rasters": {"land_cover": ["a"]},
        "reference": {"legend": 1},
        "parameters": {"x": 0.5},
        "code": "sha256:0",
        "numerics": "sha256:0",
    }
    assert causes(recorded, {**recorded, **changed}) == cause


def test_a_document_compared_with_itself_read_back_has_no_cause() -> None:
    document = InputDocument("a", {"parameters": {"scale": 0.1, "huge": 1e16}, "code": "c"})
    stored = json.loads(json.dumps(document.stored))
    assert causes(stored, document.document) == ()
