"""A generated landscape on the grids of real products, and the answers it must give."""
