"""Speed, memory and exactness of steerable, always as a ratio against a plain torch twin measured in the same run.

``python -m benchmarks.run`` measures every entry of ``benchmarks/entries`` and writes a table. Importing this package
imports neither steerable nor a peer, so that the same timing code can run in the peers' own environment.
"""
