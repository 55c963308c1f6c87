"""The contractions, one for each kind of domain."""
