"""carbon-assets: carbon numbers that anyone can follow back and compute again."""

__version__ = "0.1.0"
