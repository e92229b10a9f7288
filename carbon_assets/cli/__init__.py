"""The command line ``carbon-assets``: one module per command, importing late."""
