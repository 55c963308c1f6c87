"""What runs inside ``.venv-peers``: the same measurements for the libraries we compare with. Nothing here imports steerable."""
