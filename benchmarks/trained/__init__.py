"""Small scripts that prepare the data of trained rows in ``docs/results.md``."""
