"""``python -m carbon_assets``."""

from carbon_assets.cli.main import main

main()
