"""Writing the demo landscape: rasters, places, catalogue and portfolio file."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from carbon_assets.demo.design import Design, load_design
from carbon_assets.demo.publish import published
from carbon_assets.demo.rasters import write_band
from carbon_assets.demo.vectors import write_places

PORTFOLIO = "portfolio.yaml"
CATALOGUE = tuple(
    f"catalogue/{name}.yaml" for name in ("mapbiomas-brazil", "hgb", "esa-cci-biomass")
)
FARMS = "farms.gpkg"
BOUNDARIES = "boundaries.gpkg"


def write_landscape(folder: Path) -> Path:
    """Write the demo landscape into a folder.

    The same bytes each time; files that are already right are not touched. Farms edited in
    the folder are put back as they were.

    Args:
        folder: Where the landscape goes; created when missing.

    Returns:
        Path of the portfolio file.

    Raises:
        OSError: When the folder cannot be written.
    """
    design = load_design()
    with published(folder, last=PORTFOLIO) as scratch:
        _write_rasters(design, scratch)
        write_places(scratch / FARMS, design.farms())
        write_places(scratch / BOUNDARIES, design.boundaries())
        (scratch / "catalogue").mkdir()
        for name in (*CATALOGUE, PORTFOLIO):
            text = files("carbon_assets.demo").joinpath("files", name).read_bytes()
            (scratch / name).write_bytes(text)
    return folder / PORTFOLIO


def _write_rasters(design: Design, folder: Path) -> None:
    for product in design.products.values():
        for band, name in product.bands.items():
            years = design.years if "{year}" in name else design.years[:1]
            for year in years:
                write_band(folder / name.format(year=year), product, band, year)
