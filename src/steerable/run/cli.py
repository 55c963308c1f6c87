"""The command line `steerable`: an explicit table of commands, and errors of one line."""

from __future__ import annotations

import importlib
import os
import sys
from importlib.metadata import PackageNotFoundError, version

from steerable.data.errors import InputError, did_you_mean

COMMANDS = {
    "demo": "simulate strong lenses, train three networks and write a report page",
    "simulate": "write a data set of simulated images: `steerable simulate lensing`",
    "fit": "train a network from a config: `steerable fit --config digits`",
    "evaluate": "score a trained network on the test part: `steerable evaluate RUN_DIR`",
    "predict": "a catalogue of answers to image files: `steerable predict RUN_DIR IMAGES --out FILE.parquet`",
    "export": "one file that answers by itself: `steerable export RUN_DIR --out FILE.onnx`",
    "compare": "train many networks on the same images, into one table: `steerable compare PLAN`",
    "check": "measure how equivariant a network is: `steerable check MODEL`",
    "models": "list the networks that `steerable.create_model` builds",
}


def usage() -> str:
    """Return the text of ``steerable --help``."""
    lines = [f"  {name:<10}{text}" for name, text in COMMANDS.items()]
    tail = "Each command explains itself with --help. STEERABLE_TRACEBACK=1 shows where an error came from."
    return "\n".join(["usage: steerable COMMAND [options]", "", *lines, "", tail])


def extra_hint(missing: str | None) -> str:
    """Return how to install the package that an import asked for."""
    top = (missing or "?").split(".")[0]
    own = {"astropy": "lensing", "h5py": "images", "tifffile": "images", "lenstronomy": "lenstronomy"}
    own |= {"huggingface_hub": "hub", "torchao": "export"}
    extra = own.get(top, "export" if top.startswith("onnx") else "train")
    return f"the package '{top}' is not installed; expected the extra [{extra}]: pip install 'steerable[{extra}]'"


def main(argv: list[str]) -> int:
    """Run one command and return its exit status: 0 done, 2 unusable input, 130 interrupted."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] in ("-V", "--version"):
        try:
            print(f"steerable {version('steerable')}")
        except PackageNotFoundError:
            print("steerable (run from its source, not installed)")
        return 0
    name = argv[0]
    if name not in COMMANDS:
        print(
            f"steerable: error: no command '{name}'; expected one of {', '.join(COMMANDS)}."
            f"{did_you_mean(name, COMMANDS)} See `steerable --help`.",
            file=sys.stderr,
        )
        return 2
    try:
        return importlib.import_module(f"steerable.run.commands.{name}").main(argv[1:])
    except (InputError, ModuleNotFoundError) as e:
        if os.environ.get("STEERABLE_TRACEBACK"):
            raise
        if isinstance(e, ModuleNotFoundError) and (e.name or "").split(".")[0] != "steerable":
            text = extra_hint(e.name)
        else:
            text = str(e)
        print(f"steerable {name}: error: {' '.join(text.split())}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt as e:
        print(f"steerable {name}: interrupted. {e}".rstrip(), file=sys.stderr)
        return 130


def entry() -> None:
    """Entry point of the installed command."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    entry()
