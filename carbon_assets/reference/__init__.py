"""Reference data and its loaders: sources, legends, strata, metrics, units, constants.

The data is YAML and CSV, each fact with its source and how well it is known (see
``rows.Confidence``). What nobody has verified is left out or null, never a constant.
"""
