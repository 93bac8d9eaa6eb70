"""All benchmarks, one after another.

    python -m benchmarks [--into FOLDER] [--quick]

With a folder, each saves its tables there as NAME.json and draws them as NAME.png.
"""

import argparse
from importlib import import_module
from pathlib import Path

ALL = (
    "machine",
    "streaming",
    "fairness",
    "overhead",
    "growth",
    "folders",
    "scaling",
    "reference",
    "quality",
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, metavar="FOLDER")
    parser.add_argument("--quick", action="store_true")
    wanted = parser.parse_args()
    if wanted.into:
        wanted.into.mkdir(parents=True, exist_ok=True)
    for name in ALL:
        print(f"\n# {name}", flush=True)
        argv = ["--quick"] if wanted.quick else []
        if wanted.into:
            stem = str(wanted.into / name)
            argv += ["--json", f"{stem}.json", "--plot", f"{stem}.png"]
            argv += ["--sheet", f"{stem}_sheet.jpg"] if name == "quality" else []
        # Not before its turn: processes of their own, which some start, import this module, too.
        import_module(f"benchmarks.{name}").main(argv)


if __name__ == "__main__":
    main()
