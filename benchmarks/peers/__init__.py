"""What runs inside ``.venv-peers``: the same measurements for our peers. Nothing here imports steerable."""
