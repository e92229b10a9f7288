"""Places: farms, project boundaries, leakage belts, reference regions, jurisdictions.

``importing.read_places`` takes a vector file to accepted places and coded rejections;
``geometry`` defines the one stored form of a polygon; ``overlaps`` finds hectares counted twice.
Nothing here knows a database.
"""
