"""The door: validated tenants, places and rasters become rows.

``rasters`` and ``places`` check what comes in and know no database; ``store`` is the database
and knows neither. This package joins them, one transaction per import.
"""
