"""Makes tiny packages and package indexes on disk, so that installing is tested without a network."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

BACKEND = """
import os, zipfile

NAME, VERSION = {name!r}, {version!r}
{extra}

def _wheel(folder, files):
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    files[f"{{info}}/METADATA"] = f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n" + METADATA
    files[f"{{info}}/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[f"{{info}}/RECORD"] = "".join(f"{{path}},,\\n" for path in files)
    target = f"{{NAME}}-{{VERSION}}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, target), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return target

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, dict(files()))

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory, {{f"{{NAME}}.pth": os.getcwd() + "\\n", **files()}})
"""
PLAIN = 'METADATA = ""\ndef files(): return {}\n'
IN_TREE = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def backend(name: str, version: str = "1.0", extra: str = PLAIN) -> str:
    """A build backend of one file that needs nothing. ``extra`` defines ``METADATA`` and ``files()``."""
    return BACKEND.format(name=name, version=version, extra=extra)


def sdist(name: str, version: str = "1.0", extra: str = PLAIN) -> tuple[str, bytes]:
    """Name and bytes of a source distribution that is built by :func:`backend`."""
    files = {
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "pyproject.toml": IN_TREE,
        "backend.py": backend(name, version, extra),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return f"{name}-{version}.tar.gz", buffer.getvalue()


def wheel(name: str, version: str = "1.0", files: Mapping[str, str] | None = None) -> tuple[str, bytes]:
    """Name and bytes of a wheel."""
    info = f"{name}-{version}.dist-info"
    content = {
        **(files if files is not None else {f"{name}.py": f"VERSION = {version!r}\n"}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    content[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in content)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, text in content.items():
            archive.writestr(zipfile.ZipInfo(path), text)  # dated 1980: the same bytes each time
    return f"{name}-{version}-py3-none-any.whl", buffer.getvalue()


def make_index(folder: Path, *packages: tuple[str, bytes]) -> Path:
    """A simple index on disk; returns the folder that its URL names."""
    links: dict[str, list[str]] = {}
    (folder / "files").mkdir(parents=True, exist_ok=True)
    for name, content in packages:
        (folder / "files" / name).write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        project = name.split("-", maxsplit=1)[0].lower().replace("_", "-")
        links.setdefault(project, []).append(f'<a href="../../files/{name}#sha256={digest}">{name}</a>')
    for project, rows in links.items():
        (folder / "simple" / project).mkdir(parents=True, exist_ok=True)
        (folder / "simple" / project / "index.html").write_text("\n".join(rows))
    return folder / "simple"


def make_tree(folder: Path, files: Mapping[str, str]) -> Path:
    """A checkout with these files; no two folders give the same environment."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text + (f"\n# {folder}\n" if path == "pyproject.toml" else ""))
    return folder
