"""Tiny files in the true format of each published set, written as their authors wrote them."""

from __future__ import annotations

import gzip
import pickle
import struct
import zipfile

import numpy as np


def digits(n, seed=0, side=28):
    """Bytes [n, side, side] and labels [n], each of ten classes equally often."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, side, side), dtype=np.uint8), (np.arange(n) % 10).astype(np.uint8)


def colours(n, seed=0, side=32, classes=10):
    """Bytes [n, 3, side, side] and labels."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 3, side, side), dtype=np.uint8), (np.arange(n) % classes).astype(np.uint8)


def idx(array):
    """The bytes of an idx file."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder, n=60, m=20, packed=True):
    """The four files; returns what they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    (x, y), (u, v) = digits(n), digits(m, 1)
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
    for name, array in zip(names, (x, y, u, v), strict=True):
        content = idx(array)
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)
    return x, y, u, v


def amat(x, y):
    """Lines as the benchmark has them: three blanks, then a number in powers of ten."""
    rows = np.concatenate([x.reshape(len(x), -1) / 255.0, y[:, None]], 1)
    return "".join("   " + "   ".join(f"{v:.8e}" for v in row) + "\n" for row in rows).encode()


def write_rotated(folder, n=60, m=20, packed=False):
    """The two amat files, or their zip."""
    folder.mkdir(parents=True, exist_ok=True)
    (x, y), (u, v) = digits(n), digits(m, 1)
    files = {
        "mnist_all_rotation_normalized_float_train_valid.amat": amat(x, y),
        "mnist_all_rotation_normalized_float_test.amat": amat(u, v),
    }
    if packed:
        with zipfile.ZipFile(folder / "mnist_rotation_new.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return x, y, u, v


def python_batch(x, y, key="labels"):
    """A pickle of protocol 2 with the keys of Python 2, as bytes."""
    content = {b"data": x.reshape(len(x), -1), key.encode(): [int(k) for k in y], b"batch_label": b"one"}
    return pickle.dumps(content, protocol=2)


def write_cifar10(folder, n=20, m=20, binary=False):
    """Five batches of n and a test batch of m."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = {f"data_batch_{k}": colours(n, k) for k in range(1, 6)} | {"test_batch": colours(m, 9)}
    for name, (x, y) in parts.items():
        if binary:
            (folder / f"{name}.bin").write_bytes(b"".join(bytes([k]) + p.tobytes() for p, k in zip(x, y, strict=True)))
        else:
            (folder / name).write_bytes(python_batch(x, y))
    return parts
