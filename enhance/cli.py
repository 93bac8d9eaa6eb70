"""The command line: `python -m enhance PHOTO_OR_FOLDER... -o OUT`, `... run SRC -o OUT` and
`... watch SRC -o OUT` for folder trees and object stores, `... look PHOTO...`,
`... open PHOTO...`, `... fetch MODEL...`, `... models` and `... pool up|status|down`."""

import argparse
import hashlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from typing import Any

from tqdm import tqdm

from enhance.arguments import add_setup, options_of, photos_parser, setup_of
from enhance.engines.choice import open_engine
from enhance.errors import EnhanceError
from enhance.jobs import look, open_page
from enhance.jobs.console import Show, left_out
from enhance.jobs.folder import Folder
from enhance.jobs.local_folder import LocalFolder, find_folder
from enhance.jobs.manifests import Bucket, Manifest
from enhance.jobs.run import work
from enhance.jobs.sources import Photos, below, named
from enhance.jobs.watch import watch
from enhance.limits import Limits
from enhance.models.catalogue import MODELS, ModelSpec, weight_files
from enhance.models.download import fetch
from enhance.models.files import WeightFile
from enhance.models.folder import models_folder, refused
from enhance.models.inventory import inventory
from enhance.names import shardable
from enhance.pipeline.model_choice import required_weights


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0 if every photo succeeded, 1 if not, 2 on
    misuse, 143 when stopped by SIGTERM, 130 by SIGINT."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):  # file names may contain bytes that are not text
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    commands: dict[str, Callable[[Sequence[str]], int]] = {
        "run": partial(_enhance, "run"),
        "watch": partial(_enhance, "watch"),
        "fetch": _fetch,
        "models": _models,
        "look": look.main,
        "open": open_page.main,
        "pool": _pool,
    }
    command = commands.get(arguments[0]) if arguments else None
    try:
        code = command(arguments[1:]) if command else _enhance("", arguments)
        sys.stdout.flush()
        return code
    except EnhanceError as error:
        print(error, file=sys.stderr)
    except BrokenPipeError:  # nobody reads on, as after `| head`: nothing more is written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _enhance(command: str, arguments: Sequence[str]) -> int:
    """`PHOTO_OR_FOLDER... -o OUT`, or as the command says `run SRC -o OUT` or `watch SRC -o OUT`:
    enhance photos."""
    parser = photos_parser(command)
    wanted = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if wanted.verbose else logging.ERROR)
    show = Show(wanted.out, wanted.json, wanted.quiet)
    try:
        options = options_of(wanted)
        photos, out = _folders(wanted, show)
    except (EnhanceError, ValueError) as error:
        parser.error(str(error))
    except OSError as error:
        parser.error(f"the photos cannot be listed: {error}.")
    if not photos.found and command != "watch":
        parser.error(f"no photos were found.{left_out(photos.left_out)}")
    if wanted.download:
        _download(required_weights(options))
    # Differs for every set of options that can change the results.
    asked = {**asdict(options), "precision": wanted.precision, "weights": str(wanted.weights)}
    key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    try:
        results = Manifest(out, key) if isinstance(out, LocalFolder) else Bucket(out, key)
    except OSError as error:
        reason = error.strerror or error
        parser.error(f"{wanted.out} cannot be the folder for the results: {reason}.")
    # Without a command, the folder of the results has not been left out.
    photos.leave_out_results(results.made, links_only=bool(command))
    try:
        engine = open_engine(setup_of(wanted), Limits(), yields=bool(command))
    except EnhanceError as error:
        parser.error(str(error))
    do = partial(work, engine=engine, results=results, options=options, show=show)
    over = False
    try:
        with closing(engine), closing(results):
            if command == "watch":

                def listed() -> Photos:
                    found, _ = _folders(wanted, Show(wanted.out, quiet=True))
                    found.leave_out_results(results.made, links_only=True)
                    return found

                each = partial(do, watched=True)
                times = wanted.every, wanted.once
                ok, stopped_by = watch(listed, each, results, *times, show=show)
            else:
                counts, stopped_by = do(photos, overwrite=wanted.overwrite)
                ok = not (counts.failed or photos.missed)
            over = True
    except BrokenPipeError:  # nobody reads what is printed
        raise
    except OSError as error:
        ended = "The end of the manifest could not be written" if over else "The run ended early"
        rest = "redo the last photos" if over else "do the rest"
        print(f"{ended}: {error}. Run the same command again to {rest}.", file=sys.stderr)
        return 1
    if stopped_by:
        print("Stopped. Run the same command again to do the rest.", file=sys.stderr)
        return 128 + stopped_by
    return 0 if ok else 1


def _folders(wanted: argparse.Namespace, show: Show) -> tuple[Photos, Folder]:
    """The photos to do, and the folder for the results. Raises OSError, or ValueError with a
    sentence."""
    out = find_folder(wanted.out)
    if not wanted.command:
        return named(wanted.photos), out
    if wanted.shard.count > 1 and not shardable(wanted.name):
        raise ValueError(
            "with --shard, --name must be {stem} with at most 20 characters, or {upscale}, before "
            "and after it, so that photos of different parts never share a name."
        )
    source = find_folder(wanted.source)
    with show.bar(" photos", doing="listing") as bar:
        return below(source, out, wanted.shard, bar.update), out


def _models(arguments: Sequence[str]) -> int:
    """`models`: list all models, and the files in the models folder that cannot be used."""
    argparse.ArgumentParser(
        prog="enhance models",
        description="List the models that the options can name. Put your own model files in "
        f"{models_folder()} (ENHANCE_MODELS_DIR).",
    ).parse_args(arguments)
    for model in inventory():
        size = f"{model['bytes'] / 1e6:.0f} MB" if model["bytes"] else ""
        there = "" if model["present"] else f"not here: enhance fetch {model['name']}"
        print(f"{model['kind']:11}{model['name']:27}{size:>7}  {model['about']} {there}".rstrip())
        print(f"{'':47}{_licence(MODELS[model['name']])}")
    for error in refused().values():
        print(f"Not used: {error}", file=sys.stderr)
    return 0


def _licence(model: ModelSpec) -> str:
    return f"Licence: {model.licence}. {model.warning}".rstrip()


def _fetch(arguments: Sequence[str]) -> int:
    """`fetch MODEL...`: download weights and verify them."""
    lines = [
        f"  {name:26}{file.size / 1e6:5.0f} MB  {MODELS[name].about}\n"
        f"{'':36}{_licence(MODELS[name])}"
        for name, file in weight_files().items()
    ]
    parser = argparse.ArgumentParser(
        prog="enhance fetch",
        description="Download model weights, verified by SHA-256, into the weights folder "
        "(ENHANCE_WEIGHTS_DIR).",
        epilog="models:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", choices=weight_files(), metavar="MODEL")
    _download(weight_files(parser.parse_args(arguments).models))
    return 0


def _download(files: Mapping[str, WeightFile]) -> None:
    """Download the files of these models with a progress bar. Raises WeightsMissing."""
    for name, file in files.items():
        with tqdm(
            total=file.size, unit="B", unit_scale=True, desc=file.filename, file=sys.stderr
        ) as bar:

            def show(done: int, _: int, bar: "tqdm[Any]" = bar) -> None:
                bar.update(done - bar.n)

            path = fetch(file, show)
            bar.update(file.size - bar.n)
        print(f"{name}: {path}", file=sys.stderr)


def _pool(arguments: Sequence[str]) -> int:
    """`pool up|status|down`: bring up the models that a Ray cluster shares, look at them, end
    them."""
    parser = argparse.ArgumentParser(
        prog="enhance pool",
        description="The models of a running Ray cluster (RAY_ADDRESS), which all front ends and "
        "commands with ENHANCE_ENGINE=ray share. up: start as many replicas as ENHANCE_REPLICAS "
        "says, unless there is a pool already. status: what they are doing. down: stop them and "
        "free their memory.",
    )
    parser.add_argument("action", choices=("up", "status", "down"))
    add_setup(parser, "a weight file or a folder, on every node")
    wanted = parser.parse_args(arguments)
    try:
        from enhance.engines import ray_pool
    except ImportError:
        print("This command needs Ray: pip install -r requirements-ray.txt.", file=sys.stderr)
        return 1
    ray_pool.connect("auto")
    if wanted.action == "down":
        ray_pool.take_down()
        return 0
    if wanted.action == "up":
        ray = {**os.environ, "ENHANCE_ENGINE": "ray"}
        open_engine(setup_of(wanted), Limits.from_environment(), ray).load()
    print(*ray_pool.result(ray_pool.find().status.remote()), sep="\n")
    return 0
