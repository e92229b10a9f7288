"""Rasters behind https and s3 addresses: their stamps, and their bytes from end to end.

Pixels are read by GDAL; what is here looks whether a file changed, hashes and copies it.
"""
