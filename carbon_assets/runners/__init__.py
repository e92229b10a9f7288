"""One page per raster source kind, over shared machinery.

``declaration`` says what a runner is, ``bound`` joins it with the registered rasters that
feed it, ``compute`` turns places and vintages into receipts; ``land_cover`` and ``biomass``
are the runners themselves, listed in ``all_runners``.
"""
