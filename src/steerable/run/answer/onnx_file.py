"""An `.onnx` file that `steerable export` wrote, in floats or in integers, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from steerable.data.errors import InputError
from steerable.run.answer.answerer import Answerer
from steerable.run.answer.batch import by_batches
from steerable.run.export.header import ENTRY, MEND, check_header, outside_recipe, read_header_text
from steerable.run.export.probe import check_probe

PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}


class OnnxFile(Answerer):
    """A session of onnxruntime.

    Args:
        session: an `onnxruntime.InferenceSession`.
        header: see :mod:`steerable.run.export.header`.
        source: the file.
    """

    def __init__(self, session: Any, header: dict[str, Any], source: Path) -> None:
        self.session, self.header, self.source = session, header, source
        self.record, self.seeds, self.recipe = header["record"], header["seeds"], outside_recipe(header)

    @staticmethod
    def load(path: str | Path, device: str = "cpu", probe: bool = True) -> OnnxFile:
        """Read a file.

        Args:
            path: the file.
            device: ``cpu`` or ``cuda``.
            probe: compare its answer to the probe with what stands in its header.

        Raises:
            InputError: no such file, a broken file, a network that is not ours, or one that answers otherwise here.
            ModuleNotFoundError: without the extra ``steerable[export]``.
        """
        import onnxruntime

        path = Path(path)
        if not path.is_file():
            raise InputError(f"'{path}' is no file; expected one that `steerable export` wrote. Mend the path.")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what is wrong with a file is said once, by us
        options.intra_op_num_threads = torch.get_num_threads()
        provider = PROVIDERS.get(device, "CPUExecutionProvider")
        if provider not in onnxruntime.get_available_providers():
            raise InputError(
                f"--device gpu: onnxruntime {onnxruntime.__version__} has {onnxruntime.get_available_providers()}; "
                f"expected {provider}. Say --device cpu, or export with --format program."
            )
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
        except Exception as e:  # each of its errors has a class of its own below Exception
            why = (str(e).splitlines() or ["?"])[0][:200]
            raise InputError(
                f"'{path}' cannot be read as ONNX ({why}); expected a file that `steerable export` wrote. {MEND}"
            ) from None
        text = session.get_modelmeta().custom_metadata_map.get(ENTRY)
        found = OnnxFile(session, check_header(read_header_text(text, path), path, ("onnx", "int8")), path)
        if probe:
            check_probe(found)
        return found

    def each(self, x: Tensor) -> Tensor:
        """Return what each network says; see :meth:`Answerer.each`."""
        name = self.session.get_inputs()[0].name
        wanted = self.session.get_outputs()[1].name

        def call(part: Tensor) -> Tensor:
            array: np.ndarray = self.session.run([wanted], {name: part.detach().cpu().float().numpy()})[0]
            return torch.from_numpy(array).double()

        return by_batches(call, x, self.header["batch"]).transpose(0, 1)
