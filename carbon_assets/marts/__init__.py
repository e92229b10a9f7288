"""SQL models on top of the tables: read, put in order, and made into views and tables.

``files`` reads the model files, ``models`` resolves their references, ``apply`` makes schema
``marts`` what they say, ``versions`` tells what is there and what should be.
"""
