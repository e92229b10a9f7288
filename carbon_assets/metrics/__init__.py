"""From receipts (L1) to farm metrics (L2): pure functions, no database and no files of a user.

``derive`` is the entry; ``land_cover`` and ``carbon`` hold its rules as small tables, ``tables``
the frames and their schemas, ``checks`` what blocks a frame from being used.
"""
