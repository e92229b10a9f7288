"""What an asset shows of itself in the Dagster UI: column schema, small tables, a map.

The map is a PNG of some tens of kilobytes. It belongs to an event of the whole asset (a check
result, an observation without partition), never to the event of a partition.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import compress
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np

if TYPE_CHECKING:
    import pandera.pandas as pa
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from shapely import MultiPolygon, Polygon

MAX_ROWS = 20
MAX_PREVIEW_BYTES = 60_000
MAX_PREVIEW_SHAPES = 2_000
PREVIEW_DPI = (100, 80, 60, 40)
PREVIEW_COLOURS = 64
NO_DATA_COLOUR = "lightgrey"


_COLUMN_TYPES = {
    "int64": "integer",
    "Int64": "integer",
    "float64": "float",
    "object": "json",
    "str": "string",
    "string": "string",
    "string[pyarrow]": "string",
    "None": "any",
}
"""Dtypes of frames in words that a reader of the table knows."""


def code_references(*modules: str) -> dg.CodeReferencesMetadataValue:
    """Return where the code of an asset lies, for the UI's link to the source.

    Args:
        modules: Importable names, the asset's own module first.
    """
    found = {name: find_spec(name) for name in modules}
    return dg.CodeReferencesMetadataValue(
        code_references=[
            dg.LocalFileCodeReference(file_path=spec.origin, line_number=1, label=name)
            for name, spec in found.items()
            if spec is not None and spec.origin is not None
        ]
    )


def table_schema(schema: pa.DataFrameSchema) -> dg.TableSchema:
    """Turn a pandera schema into the column schema that Dagster shows.

    Args:
        schema: Schema with dtype, description, nullability, uniqueness and checks per column.
    """
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=_COLUMN_TYPES.get(str(column.dtype), str(column.dtype)),
                description=column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable,
                    unique=column.unique,
                    other=[str(check.error or check.name) for check in column.checks],
                ),
            )
            for name, column in schema.columns.items()
        ],
        constraints=dg.TableConstraints(
            other=[str(check.error or check.name) for check in schema.checks]
        ),
    )


def table_metadata(
    rows: Sequence[Mapping[str, Any]], limit: int = MAX_ROWS
) -> dg.TableMetadataValue:
    """Return the first rows as a table; values that Dagster cannot hold become text.

    Args:
        rows: Rows with the same columns.
        limit: Largest number of rows shown.
    """
    columns = list(rows[0]) if rows else []
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({name: _plain(row.get(name)) for name in columns})
            for row in rows[:limit]
        ],
        schema=dg.TableSchema(
            [dg.TableColumn(name, _type_of([row.get(name) for row in rows])) for name in columns]
        ),
    )


def markdown_table(
    rows: Sequence[Mapping[str, Any]], limit: int = MAX_ROWS
) -> dg.MarkdownMetadataValue:
    """Return the first rows as a markdown table, with a last line that counts the rest.

    Args:
        rows: Rows with the same columns.
        limit: Largest number of rows shown.
    """
    if not rows:
        return dg.MetadataValue.md("(no rows)")
    columns = list(rows[0])
    lines = [_markdown_line(columns), _markdown_line(["---"] * len(columns))]
    lines += [_markdown_line([row.get(name) for name in columns]) for row in rows[:limit]]
    if len(rows) > limit:
        lines.append(f"\n… and {len(rows) - limit} more")
    return dg.MetadataValue.md("\n".join(lines))


def map_preview(
    shapes: Sequence[Polygon | MultiPolygon],
    values: Sequence[float | None],
    *,
    title: str,
    unit: str,
    outlines: Sequence[Polygon | MultiPolygon] = (),
) -> dg.MarkdownMetadataValue:
    """Draw polygons coloured by a value, as a PNG inside a markdown entry.

    Args:
        shapes: Polygons in longitude and latitude; only the 2,000 largest are drawn.
        values: One value per polygon; ``None`` or NaN is drawn grey, as "no data".
        title: Title above the map.
        unit: Unit of the values, beside the colour bar.
        outlines: Polygons around them, drawn as lines.

    Raises:
        ValueError: The two lists differ in length, or are empty.
    """
    if not shapes or len(shapes) != len(values):
        raise ValueError(f"{len(shapes)} polygons and {len(values)} values")
    numbers = np.array([np.nan if value is None else value for value in values], dtype=float)
    largest = np.argsort([-shape.area for shape in shapes], kind="stable")[:MAX_PREVIEW_SHAPES]
    png = b""
    for dpi in PREVIEW_DPI:
        picture = _Picture([shapes[i] for i in largest], numbers[largest], outlines, title, unit)
        png = _draw(picture, dpi)
        if len(png) <= MAX_PREVIEW_BYTES:
            break
    encoded = base64.b64encode(png).decode("ascii")
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{encoded})")


@dataclass(frozen=True)
class _Picture:
    """What is on a map; NaN is "no data"."""

    shapes: Sequence[Polygon | MultiPolygon]
    values: np.ndarray[Any, np.dtype[np.float64]]
    outlines: Sequence[Polygon | MultiPolygon]
    title: str
    unit: str


def _draw(picture: _Picture, dpi: int) -> bytes:
    # matplotlib costs a second to import, and most runs draw nothing.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), dpi=dpi, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    known = np.isfinite(picture.values)
    around, empty, full = (
        [_path(shape) for shape in shapes]
        for shapes in (
            picture.outlines,
            compress(picture.shapes, ~known),
            compress(picture.shapes, known),
        )
    )
    axes.add_collection(
        PathCollection(around, facecolor="none", edgecolor="grey", linestyle="--", linewidth=0.8)
    )
    axes.add_collection(
        PathCollection(empty, facecolor=NO_DATA_COLOUR, edgecolor="grey", linewidth=0.4)
    )
    if full:
        coloured = PathCollection(
            full, array=picture.values[known], cmap="viridis", edgecolor="black", linewidth=0.3
        )
        axes.add_collection(coloured)
        figure.colorbar(coloured, ax=axes, label=picture.unit)
    _frame(axes, [*picture.shapes, *picture.outlines], picture.title)
    return _png(canvas)


def _png(canvas: FigureCanvasAgg) -> bytes:
    from PIL import Image

    canvas.draw()  # type: ignore[no-untyped-call]
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    image = Image.fromarray(pixels).convert("RGB")
    target = io.BytesIO()
    image.quantize(PREVIEW_COLOURS).save(target, format="png", optimize=True)
    return target.getvalue()


def _frame(axes: Axes, shapes: Sequence[Polygon | MultiPolygon], title: str) -> None:
    bounds = np.array([shape.bounds for shape in shapes])
    west, south = bounds[:, :2].min(axis=0)
    east, north = bounds[:, 2:].max(axis=0)
    margin = 0.03 * max(east - west, north - south)
    axes.set_xlim(west - margin, east + margin)
    axes.set_ylim(south - margin, north + margin)
    axes.set_aspect(1 / max(np.cos(np.radians((south + north) / 2)), 0.05))
    axes.set(title=title, xlabel="longitude (°)", ylabel="latitude (°)")
    axes.ticklabel_format(useOffset=False)
    axes.tick_params(labelsize=7)


def _path(shape: Polygon | MultiPolygon) -> Any:
    from matplotlib.path import Path

    rings = [
        ring
        for part in getattr(shape, "geoms", [shape])
        for ring in (part.exterior, *part.interiors)
    ]
    return Path.make_compound_path(
        *(Path(np.asarray(ring.coords)[:, :2], closed=True) for ring in rings)
    )


def _plain(value: Any) -> str | int | float | bool | None:
    value = value.item() if isinstance(value, np.generic) else value
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _type_of(values: Sequence[Any]) -> str:
    kinds = {type(_plain(value)) for value in values} - {type(None)}
    names: dict[type, str] = {bool: "bool", int: "int", float: "float"}
    if kinds == {int, float}:
        return "float"
    return names.get(kinds.pop(), "string") if len(kinds) == 1 else "string"


def _markdown_line(cells: Sequence[Any]) -> str:
    texts = ("" if cell is None else str(cell) for cell in cells)
    return "| " + " | ".join(text.replace("|", "\\|").replace("\n", " ") for text in texts) + " |"
