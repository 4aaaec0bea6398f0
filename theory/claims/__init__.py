"""One file per claim or close family of claims; importing this package fills the ledger's registry."""

from importlib import import_module
from pkgutil import walk_packages

for _module in walk_packages(__path__, prefix=f"{__name__}."):
    import_module(_module.name)
