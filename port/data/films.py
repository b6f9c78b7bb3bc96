"""A benchmark kept as lossless films: `GT_CLIP.mkv` and `LQ_CLIP.mkv` with an `index.json` of names, sizes and hashes."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path

from port.console import note
from port.errors import PortError
from port.files import whole_folder
from port.video.movies import open_movie
from port.video.pictures import write_picture

INDEX = "index.json"


def unpack_films(source: Path, target: Path, folders: dict[str, str], clips: Collection[str] | None = None) -> None:
    """Write every film as a folder of PNG frames, its pixels as the index says; folders that are there are kept.

    folders  kind of a film -> folder of its clips below `target`, such as {"LQ": "BIx4"}
    clips    those wanted; None: all
    Raises PortError for a film that is missing or damaged, or that holds other pixels; then its folder is not there.
    """
    index = read_index(source)
    for name, about in index.items():
        kind, _, clip = name.partition("_")
        place = target / folders.get(kind, "") / clip
        if kind in folders and (clips is None or clip in clips) and not place.is_dir():
            note(f"unpack {name} ...")
            _unpack(source / f"{name}.mkv", about, place)


def read_index(source: Path) -> dict[str, dict]:
    """Name of each film -> names of its frames, and the sha256 of their pixels. Raises PortError."""
    try:
        index = json.loads((source / INDEX).read_text(encoding="utf-8"))
        whole = all({"names", "sha256_rgb"} <= about.keys() for about in index.values())
    except (OSError, ValueError, AttributeError) as error:
        raise PortError(f"cannot read {source / INDEX}: {error}. Name the folder that holds the films.") from error
    if not whole or any(Path(file).name != file for about in index.values() for file in about["names"]):
        raise PortError(f"{source / INDEX} does not name the frames of every film and the sha256 of their pixels.")
    return index


def _unpack(film: Path, about: dict, place: Path) -> None:
    if not film.is_file():
        raise PortError(f"there is no {film}, which {INDEX} beside it names. Complete the data set.")
    digest, frames = hashlib.sha256(), open_movie(film).frames
    with whole_folder(place) as draft:
        count = 0
        for file, frame in zip(about["names"], frames, strict=False):
            digest.update(frame.tobytes())
            write_picture(draft / file, frame, lasting=False)
            count += 1
        if count != len(about["names"]) or next(frames, None) is not None or digest.hexdigest() != about["sha256_rgb"]:
            raise PortError(f"{film} does not hold the frames that {INDEX} beside it tells of. Copy it again.")
