"""What a number follows from, whether it is still true, and how to compute it again.

``fingerprint`` names a computation, ``expectation`` says what each partition's computation
should be now, ``status`` compares that with ``partition_history``, ``materialize`` computes
what differs, ``trace`` and ``reproduce`` lead an auditor back.
"""
