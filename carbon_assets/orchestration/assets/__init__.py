"""The assets, one module per link of the chain."""
