"""Claims about the exact worlds, one file an experiment; importing this package adds them to the ledger."""

from importlib import import_module
from pkgutil import walk_packages

for _module in walk_packages(__path__, prefix=f"{__name__}."):
    import_module(_module.name)
