"""Many networks on the same images: a plan, its cells, one table and one figure."""
