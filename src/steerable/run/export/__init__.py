"""From a trained run to one file that answers by itself: a program of torch, ONNX, ONNX in integers."""

from __future__ import annotations
