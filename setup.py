"""The packages of the distribution; everything else about it is in `setup.cfg`.

In a checkout, and in an editable install of it, `config`, `migrations`, `workers` and `wsgi` lie beside the package. A
wheel has them below `taskmanager/outer`, because names as general as `config` do not belong into the site-packages of
others; `taskmanager/entry.py` finds them in both places. The embedded servers and the fixtures are for development: an
editable install has them, the wheel does not.
"""

import sys

from setuptools import find_packages, setup

package = find_packages(include=["taskmanager*"], exclude=["taskmanager.embedded*", "taskmanager.testing*"])
outer = find_packages(include=["config*", "migrations*", "workers*"])
below = "" if "editable_wheel" in sys.argv else "taskmanager.outer."

setup(
    packages=[*package, *(below + name for name in outer)],
    py_modules=[f"{below}wsgi"],
    package_dir={below.rstrip("."): "."} if below else {},
)
