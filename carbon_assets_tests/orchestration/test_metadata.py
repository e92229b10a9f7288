from __future__ import annotations

import base64
import io
from pathlib import Path

import dagster as dg
import numpy as np
import pandera.pandas as pa
import pytest
import shapely
from PIL import Image

from carbon_assets.orchestration.metadata import (
    MAX_PREVIEW_BYTES,
    code_references,
    map_preview,
    markdown_table,
    table_metadata,
    table_schema,
)


def decoded(entry: dg.MarkdownMetadataValue) -> tuple[bytes, Image.Image]:
    assert entry.md_str is not None
    png = base64.b64decode(entry.md_str.split("base64,")[1].rstrip(")"))
    return png, Image.open(io.BytesIO(png)).convert("RGB")


def test_a_pandera_schema_keeps_types_words_and_constraints() -> None:
    schema = pa.DataFrameSchema(
        {
            "farm_id": pa.Column(int, pa.Check.ge(1), unique=True, description="Row of the farm"),
            "area_ha": pa.Column(
                float, pa.Check(lambda area: area > 0, error="positive"), nullable=True
            ),
        },
        checks=pa.Check(lambda frame: frame.notna().all(), name="parts sum"),
    )
    found = table_schema(schema)
    farm, area = found.columns
    assert (farm.name, farm.type, farm.description) == ("farm_id", "integer", "Row of the farm")
    assert farm.constraints.unique
    assert not farm.constraints.nullable
    assert farm.constraints.other == ["greater_than_or_equal_to(1)"]
    assert area.constraints.nullable
    assert area.constraints.other == ["positive"]
    assert found.constraints.other == ["parts sum"]


def test_a_table_is_capped_and_typed() -> None:
    rows = [{"farm": f"f-{n}", "value": None if n else np.float64(2.5), "n": n} for n in range(50)]
    found = table_metadata(rows, limit=3)
    assert len(found.records) == 3
    assert found.records[0].data == {"farm": "f-0", "value": 2.5, "n": 0}
    assert [column.type for column in found.schema.columns] == ["string", "float", "int"]
    assert table_metadata([]).records == []


def test_markdown_escapes_bars_and_counts_the_rest() -> None:
    found = markdown_table([{"name": "a|b", "value": None}] * 5, limit=2).md_str
    assert found is not None
    assert "| a\\|b |  |" in found
    assert found.endswith("… and 3 more")


def test_a_map_is_small_and_shows_values_and_gaps_in_different_colours() -> None:
    squares = [shapely.box(x, -10, x + 0.9, -9) for x in (-50, -49, -48)]
    png, image = decoded(map_preview(squares, [1.0, 5.0, None], title="Carbon", unit="Mg C/ha"))
    assert len(png) <= MAX_PREVIEW_BYTES
    colours = {colour for _, colour in image.getcolors(1 << 16)}
    assert len(colours) > 10
    grey = [c for c in colours if max(c) - min(c) < 8 and 200 < c[0] < 225]
    assert grey


def test_many_ragged_polygons_still_fit() -> None:
    rng = np.random.default_rng(0)
    shapes = [
        shapely.Point(*rng.uniform(0, 1, 2)).buffer(rng.uniform(0.005, 0.05)) for _ in range(1_500)
    ]
    png, _ = decoded(map_preview(shapes, list(rng.uniform(0, 1, 1_500)), title="t", unit="u"))
    assert len(png) <= MAX_PREVIEW_BYTES


def test_all_gaps_draw_without_a_colour_bar() -> None:
    _, image = decoded(map_preview([shapely.box(0, 0, 1, 1)], [None], title="t", unit="u"))
    assert image.width > 100


def test_outlines_widen_the_map_and_take_no_colour() -> None:
    farms, around = [shapely.box(0, 0, 1, 1)], [shapely.box(-9, -9, 10, 10)]
    _, alone = decoded(map_preview(farms, [1.0], title="t", unit="u"))
    _, framed = decoded(map_preview(farms, [1.0], title="t", unit="u", outlines=around))

    def filled(image: Image.Image) -> int:
        left = np.asarray(image)[:, : image.width * 3 // 4].astype(int)
        return int((np.ptp(left, axis=2) > 60).sum())

    assert 0 < filled(framed) < filled(alone) / 4


def test_code_references_name_files_that_exist() -> None:
    found = code_references("carbon_assets.errors", "carbon_assets.runners.biomass")
    labels = [one.label for one in found.code_references]
    assert labels == ["carbon_assets.errors", "carbon_assets.runners.biomass"]
    paths = [Path(one.source.rpartition(":")[0]) for one in found.code_references]
    assert [path.name for path in paths] == ["errors.py", "biomass.py"]
    assert all(path.is_file() for path in paths)


def test_shapes_and_values_must_match() -> None:
    with pytest.raises(ValueError, match="1 polygons and 2 values"):
        map_preview([shapely.box(0, 0, 1, 1)], [1.0, 2.0], title="t", unit="u")
