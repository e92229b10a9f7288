"""The assets, one module per link of the chain, and the builder that joins them."""
