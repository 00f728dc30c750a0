"""Which folders are which packages: setuptools cannot be told so in pyproject.toml.

What is installed is one package, ``costmodel``. Folders at the top of the repository
become packages in it, so that nobody's environment gets a module ``reports``.
"""

from __future__ import annotations

from setuptools import find_packages, setup


FOLDERS = {
    "costmodel": "costmodel",
    "costmodel.zoo": "architectures",
    "costmodel.reports": "reports",
}

setup(
    package_dir=FOLDERS,
    packages=[
        package
        for name, folder in FOLDERS.items()
        for package in [name, *(f"{name}.{inner}" for inner in find_packages(folder))]
    ],
)
