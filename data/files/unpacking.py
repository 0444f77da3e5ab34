"""What a path holds: one data set, or a folder or ZIP archive with several; and nothing that does harm.

Refused are links, pipes and devices, files and archives beyond a limit (a few kilobytes can unpack to terabytes), and
archive entries that point out of the archive. The same for XML is in ``markup``.
"""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from data.base.errors import Invalid
from data.base.language import _
from data.files import encodings, formats
from data.files.formats import Format

MOST_BYTES = 1 << 30
"""The largest file that is read, in bytes."""
MOST_UNPACKED_BYTES = 4 << 30
MOST_ENTRIES = 10_000
MOST_RATIO = 200
"""How many times larger than packed an archive's content may be, once it is over ``_HARMLESS_BYTES``."""
_HARMLESS_BYTES = 64 << 20
NAMES_SUFFIX = ".fields.txt"
"""The file beside a shapefile of ours that lists the short and the whole name of each column."""
_SIDES = (".shx", ".dbf", ".prj", ".cpg", ".qpj")


@dataclass(frozen=True, slots=True)
class Dataset:
    """One file (or File Geodatabase) that can be opened."""

    path: Path
    format: Format
    name: str


def find(path: Path, room: Path) -> list[Dataset]:
    """The data sets at ``path``.

    Parameters
    ----------
    path
        A file, a folder of files, a File Geodatabase or a ZIP archive of any of them.
    room
        An empty folder where archives are unpacked to; it must outlive the data sets.

    Raises
    ------
    Invalid
        There is nothing, or nothing readable, or something that could do harm.
    """
    if path.is_symlink():
        raise Invalid(_("“{name}” is a link. Give the file itself.", name=path.name))
    if not path.exists():
        raise Invalid(_("There is no file “{name}”.", name=str(path)))
    if path.is_dir():
        return _in_folder(path)
    companion = _shapefile_of(path)
    if companion:
        return find(companion, room)
    _check_file(path)
    form = formats.sniff(path)
    if form is Format.ZIP:
        unpack(path, room)
        return _in_folder(room, archive=path.name)
    if form in formats.SPREADSHEETS and form not in (Format.XLS, Format.XML_2003):
        _check_entries(path)
    return [Dataset(path, form, path.stem)]


def copy(path: Path, folder: Path) -> str:
    """Copy what is at ``path``, with whatever belongs to it, into a folder; what it is called there.

    Parameters
    ----------
    path
        As for ``find``.
    folder
        An empty folder.

    Raises
    ------
    Invalid
        There is nothing, or it is a link, a pipe or a device, or too much.
    """
    if path.is_symlink():
        raise Invalid(_("“{name}” is a link. Give the file itself.", name=path.name))
    if not path.exists():
        raise Invalid(_("There is no file “{name}”.", name=str(path)))
    if not path.is_dir():
        for part in (path, *_parts(path)):
            _copy_file(part, folder / part.name)
        return path.name
    name = path.name or path.resolve().name
    parts = sorted(path.rglob("*"))
    if len(parts) > MOST_ENTRIES:
        raise Invalid(_("“{name}” has {count} entries, which is too many.", name=name, count=len(parts)))
    size = sum(part.lstat().st_size for part in parts)
    if size > MOST_UNPACKED_BYTES:
        raise Invalid(
            _(
                "“{name}” has {size} MB; at most {most} MB can be read at once. Split it.",
                name=name,
                size=size >> 20,
                most=MOST_UNPACKED_BYTES >> 20,
            )
        )
    (folder / name).mkdir()
    for part in parts:
        target = folder / name / part.relative_to(path)
        if part.is_dir() and not part.is_symlink():
            target.mkdir(parents=True)
        else:
            _copy_file(part, target)
    return name


def _parts(path: Path) -> list[Path]:
    """What lies beside a file and belongs to it: the parts of a shapefile or of a MapInfo layer."""
    families = ((".shp", *formats.PARTS_OF_SHAPEFILE), (".tab", ".mif", *formats.PARTS_OF_MAPINFO))
    wanted = {path.stem.lower() + suffix for family in families if path.suffix.lower() in family for suffix in family}
    if not wanted:
        return []
    return [
        other
        for other in sorted(path.parent.iterdir())
        if other != path
        and (
            other.name.lower() in wanted
            or (other.name.endswith(NAMES_SUFFIX) and path.stem.startswith(other.name.removesuffix(NAMES_SUFFIX)))
        )
    ]


def _copy_file(path: Path, target: Path) -> None:
    if path.is_symlink():
        raise Invalid(_("“{name}” is a link. Give the file itself.", name=path.name))
    _check_file(path)
    try:
        # Whoever changes it into a link or a pipe meanwhile gains nothing.
        opener = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(opener, "rb") as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)
    except OSError as error:
        raise Invalid(_("“{name}” cannot be opened: {reason}.", name=path.name, reason=error.strerror)) from error


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
        path.open("rb").close() if stat.S_ISREG(status.st_mode) else None
    except OSError as error:
        raise Invalid(_("“{name}” cannot be opened: {reason}.", name=path.name, reason=error.strerror)) from error
    if not stat.S_ISREG(status.st_mode):
        raise Invalid(_("“{name}” is no regular file.", name=path.name))
    if status.st_size > MOST_BYTES:
        raise Invalid(
            _(
                "“{name}” has {size} MB; at most {most} MB can be read at once. Split it.",
                name=path.name,
                size=status.st_size >> 20,
                most=MOST_BYTES >> 20,
            )
        )


def _shapefile_of(path: Path) -> Path | None:
    """The ``.shp`` that ``path`` is a part of, if it stands beside it."""
    if path.suffix.lower() not in _SIDES:
        return None
    return _sibling(path, ".shp")


def _sibling(path: Path, suffix: str) -> Path | None:
    wanted = (path.stem + suffix).lower()
    found = sorted(other for other in path.parent.iterdir() if other.name.lower() == wanted)
    return found[0] if found else None


def _in_folder(folder: Path, archive: str | None = None) -> list[Dataset]:
    """The data sets of a folder, of an archive also those in its subfolders; tables only where nothing else is."""
    if folder.suffix.lower() == ".gdb":
        _check_links(folder)
        return [Dataset(folder, Format.FILE_GEODATABASE, folder.stem)]
    datasets, last = [], None
    for path in sorted(_files(folder, deep=archive is not None)):
        if path.is_dir():
            datasets.append(Dataset(path, Format.FILE_GEODATABASE, path.stem))
            continue
        if path.name.lower().endswith(formats.PARTS_OF_SHAPEFILE) and (
            path.suffix.lower() != ".dbf" or _shapefile_of(path)
        ):
            continue
        try:
            _check_file(path)
            form = formats.sniff(path)
        except Invalid as error:
            last = error
            continue
        if form is not Format.ZIP:
            datasets.append(Dataset(path, form, path.stem))
    maps = [dataset for dataset in datasets if dataset.format not in (Format.CSV, Format.DBF, *formats.SPREADSHEETS)]
    datasets = maps or datasets
    if len({dataset.name for dataset in datasets}) < len(datasets):
        datasets = [replace(dataset, name=dataset.path.relative_to(folder).as_posix()) for dataset in datasets]
    if not datasets:
        if last and archive and len(list(_files(folder, deep=True))) == 1:
            raise last
        raise Invalid(_("“{name}” holds no file that can be read.", name=archive or folder.name))
    return datasets


def _files(folder: Path, *, deep: bool) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_symlink():
            raise Invalid(_("“{name}” is a link. Give the file itself.", name=path.name))
        if path.is_dir() and path.suffix.lower() == ".gdb":
            _check_links(path)
            yield path
        elif path.is_dir() and deep:
            yield from _files(path, deep=True)
        elif path.is_file() and not path.name.startswith(".") and not path.name.endswith(NAMES_SUFFIX):
            yield path


def _check_links(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise Invalid(_("“{name}” is a link. Give the file itself.", name=path.name))


def unpack(path: Path, room: Path) -> None:
    """Unpack a ZIP archive into ``room``, names in Chinese included.

    Raises
    ------
    Invalid
        It is too large, encrypted, damaged, or has an entry that would land elsewhere.
    """
    entries = _check_entries(path)
    with zipfile.ZipFile(path) as archive:
        for entry in entries:
            name = PurePosixPath(_entry_name(entry))
            if entry.is_dir() or "__MACOSX" in name.parts or name.name.startswith("._"):
                continue
            target = room.joinpath(*name.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                with archive.open(entry) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
            except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError) as error:
                raise Invalid(
                    _("“{name}” is a damaged ZIP file. Copy or download it once more.", name=path.name)
                ) from error


def _check_entries(path: Path) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    # ZipFile never gives out more than the size an entry states, so the stated sizes can be relied on.
    size, packed = sum(entry.file_size for entry in entries), path.stat().st_size
    if size > MOST_UNPACKED_BYTES or (size > _HARMLESS_BYTES and size > MOST_RATIO * packed):
        raise Invalid(
            _(
                "“{name}” has {packed} kB and would unpack to {size} MB. That is no honest archive, or too much at "
                "once.",
                name=path.name,
                packed=packed >> 10,
                size=size >> 20,
            )
        )
    if len(entries) > MOST_ENTRIES:
        raise Invalid(_("“{name}” has {count} entries, which is too many.", name=path.name, count=len(entries)))
    for entry in entries:
        name = _entry_name(entry)
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if name.startswith(("/", "\\")) or ".." in parts or (parts and ":" in parts[0]) or "\0" in name:
            raise Invalid(
                _("“{name}” has an entry “{entry}” that points out of the archive.", name=path.name, entry=name)
            )
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise Invalid(_("“{name}” has a link “{entry}”. Pack the file itself.", name=path.name, entry=name))
        if entry.flag_bits & 0x1:
            raise Invalid(_("“{name}” is encrypted. Pack it without a password.", name=path.name))
    return entries


def _entry_name(entry: zipfile.ZipInfo) -> str:
    """The name of an entry; without the UTF-8 flag it is in the code page of whoever packed it, in China GBK."""
    if entry.flag_bits & 0x800 or entry.filename.isascii():
        return entry.filename
    try:
        raw = entry.filename.encode("cp437")
        return raw.decode(encodings.guess(raw).name)
    except (UnicodeEncodeError, UnicodeDecodeError):
        return entry.filename


def whole_shapefile(path: Path, room: Path) -> Path:
    """A shapefile GDAL can open: ``path`` itself, or a copy with the index that is missing or out of step.

    Raises
    ------
    Invalid
        The ``.shp`` is cut off, or a part is a link.
    """
    parts = [part for suffix in _SIDES if (part := _sibling(path, suffix))]
    for part in parts:
        if part.is_symlink():
            raise Invalid(_("“{name}” is a link. Give the file itself.", name=part.name))
        _check_file(part)
    given = next((part for part in parts if part.suffix.lower() == ".shx"), None)
    if given and _index_fits(path, given):
        return path
    folder = room / "shapefile"
    folder.mkdir(exist_ok=True)
    for part in (path, *parts):
        if part is not given:
            shutil.copyfile(part, folder / (path.stem + part.suffix.lower()))
    (folder / f"{path.stem}.shx").write_bytes(_shape_index(path))
    return folder / f"{path.stem}.shp"


def long_names(path: Path) -> dict[str, str]:
    """Short name → whole name of a shapefile's columns, where the list of them lies beside it; else nothing."""
    for listed in path.parent.glob(f"*{NAMES_SUFFIX}"):
        if path.stem.startswith(listed.name.removesuffix(NAMES_SUFFIX)) and not listed.is_symlink():
            lines = listed.read_text("utf-8-sig", errors="replace").splitlines()
            return {short: name for short, _tab, name in (line.partition("\t") for line in lines)}
    return {}


def _index_fits(shapes: Path, index: Path) -> bool:
    """Whether every record an ``.shx`` lists lies inside its ``.shp``."""
    content, size = index.read_bytes(), shapes.stat().st_size
    if len(content) < 100 or (len(content) - 100) % 8:
        return False
    records = struct.iter_unpack(">ii", content[100:])
    return all(at >= 50 and words >= 2 and at * 2 + 8 + words * 2 <= size for at, words in records)


def _shape_index(path: Path) -> bytes:
    """The ``.shx`` that belongs to a ``.shp``: for each record its offset and length in 16-bit words."""
    with path.open("rb") as file:
        header = file.read(100)
        end = path.stat().st_size
        if len(header) < 100 or struct.unpack(">i", header[24:28])[0] * 2 > end:
            raise Invalid(
                _(
                    "“{name}” is cut off: it says it has {said} bytes and has {size}. Copy it once more.",
                    name=path.name,
                    said=struct.unpack(">i", header[24:28])[0] * 2 if len(header) >= 28 else 100,
                    size=end,
                )
            )
        end, at = struct.unpack(">i", header[24:28])[0] * 2, 100
        records: list[bytes] = []
        while at + 8 <= end:
            file.seek(at)
            words = struct.unpack(">ii", file.read(8))[1]
            if words < 2 or at + 8 + words * 2 > end:
                raise Invalid(
                    _(
                        "Record {row} of “{name}” is damaged. Export the shapefile anew.",
                        row=len(records) + 1,
                        name=path.name,
                    )
                )
            records.append(struct.pack(">ii", at // 2, words))
            at += 8 + words * 2
    return header[:24] + struct.pack(">i", 50 + 4 * len(records)) + header[28:] + b"".join(records)
