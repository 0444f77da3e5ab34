"""Which of GDAL's drivers may open a file: those of the format that was recognised by its content, and no other.

GDAL asks every driver it has whether a file is its own, whatever the file is called: a text that says it is a table and
goes on as a virtual data set would be opened as one, and name other files and addresses.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from data.base.errors import Invalid
from data.base.language import _
from data.files.formats import Format

DRIVERS = {
    Format.GEOPACKAGE: ("GPKG", "SQLite"),
    Format.SHAPEFILE: ("ESRI Shapefile",),
    Format.DBF: ("ESRI Shapefile",),
    Format.FLATGEOBUF: ("FlatGeobuf",),
    Format.KML: ("LIBKML", "KML"),
    Format.GPX: ("GPX",),
    Format.DXF: ("DXF",),
    Format.MAPINFO: ("MapInfo File",),
    Format.FILE_GEODATABASE: ("OpenFileGDB",),
    Format.OSM: ("OSM",),
    Format.ESRI_JSON: ("ESRIJSON",),
}
#: Set before GDAL is loaded: no plug-ins, no address, no file that another one names. Extensions of SQLite are loaded
#: only where a setting names them (``OGR_SQLITE_LOAD_EXTENSIONS``), and none does.
ENVIRONMENT = {
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_NUM_THREADS": "1",
    "GDAL_DISABLE_READDIR_ON_OPEN": "FALSE",
    "GDAL_HTTP_TIMEOUT": "1",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_CACHEMAX": "64",
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": "none",
    "CPL_VSIL_USE_TEMP_FILE_FOR_RANDOM_WRITE": "NO",
    "LIBKML_RESOLVE_STYLE": "NO",
    "OGR_SQLITE_LIST_VIRTUAL_OGR": "NO",
    "OGR_SQLITE_LIST_ALL_TABLES": "NO",
    "OSM_MAX_TMPFILE_SIZE": "50",
    "PROJ_NETWORK": "OFF",
}


def forget_others() -> None:
    """Take every driver out of this process that reads no format of ours; for one that opens files of strangers."""
    ours = {name for names in DRIVERS.values() for name in names}
    for name, handle in _registered().items():
        if name not in ours:
            _library().GDALDeregisterDriver(handle)


@contextmanager
def only(form: Format) -> Iterator[None]:
    """GDAL with no driver but those of ``form``, inside the ``with`` block."""
    library, before = _library(), _registered()
    wanted = [handle for name, handle in before.items() if name in DRIVERS[form]]
    try:
        for name, handle in before.items():
            if name not in DRIVERS[form]:
                library.GDALDeregisterDriver(handle)
        if not wanted or set(_registered()) - set(DRIVERS[form]):
            raise Invalid(_("{format} cannot be read on this machine. Save it as GeoPackage first.", format=str(form)))
        yield
    finally:
        for name, handle in before.items():
            if name not in DRIVERS[form]:
                library.GDALRegisterDriver(handle)


def _registered() -> dict[str, int]:
    """GDAL's drivers, name → handle, in the order in which they are asked."""
    library = _library()
    handles = [library.GDALGetDriver(number) for number in range(library.GDALGetDriverCount())]
    return {library.GDALGetDriverShortName(handle).decode(): handle for handle in handles}


@cache
def _library() -> Any:
    """The GDAL that pyogrio brings with it or uses."""
    import pyogrio

    beside = Path(pyogrio.__file__).parent.parent / "pyogrio.libs"
    path = next((str(file) for file in beside.glob("libgdal*")), None)
    if path is None:
        used = re.search(r"\S*/libgdal[^\s/]*\.so\S*", Path("/proc/self/maps").read_text())
        path = used[0] if used else "libgdal.so"
    library = ctypes.CDLL(path)
    library.GDALGetDriver.restype = ctypes.c_void_p
    library.GDALGetDriverShortName.restype = ctypes.c_char_p
    library.GDALGetDriverShortName.argtypes = [ctypes.c_void_p]
    library.GDALRegisterDriver.argtypes = [ctypes.c_void_p]
    library.GDALDeregisterDriver.argtypes = [ctypes.c_void_p]
    return library
