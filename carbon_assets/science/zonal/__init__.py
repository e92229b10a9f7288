"""Stratified zonal statistics: exact cell coverage × ellipsoidal cell area, in one pass.

``grid`` names cells, ``coverage`` says how much of each a polygon covers, ``area`` how large
each is, ``cells`` puts the two together, ``lookup`` finds the cell of a coarser grid under
each of them, and ``statistics`` reduces values over them.
"""
