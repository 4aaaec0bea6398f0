"""Write requirements.lock from pip's own report: every dependency of `.[test]` with its version and SHA-256.

    pip install --dry-run --ignore-installed --quiet --report report.json -e ".[test]"
    python packaging/lock.py report.json > requirements.lock

A lock is for one Python and one platform, the ones that pip ran on. A build with a local version (torch's +cpu) is no
file of PyPI's and stands there as a remark: install it first, from where you trust it.
"""

import json
import sys
from pathlib import Path

OURS = "decoding-tradeoffs"
HEAD = "# Made by packaging/lock.py, for CPython {python} on {platform}: pip install --require-hashes --no-deps -r"


def locked(report: dict) -> list[str]:
    """One line a dependency, by name."""
    lines = []
    for one in report["install"]:
        name, version = one["metadata"]["name"].lower().replace("_", "-").replace(".", "-"), one["metadata"]["version"]
        if name == OURS:
            continue
        digest = one["download_info"]["archive_info"]["hashes"]["sha256"]
        local = "+" in version
        lines.append(f"# {name}=={version}" if local else f"{name}=={version} --hash=sha256:{digest}")
    return sorted(lines, key=lambda line: line.lstrip("# "))


if __name__ == "__main__":
    found = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    about = found["environment"]
    head = HEAD.format(python=about["python_version"], platform=f"{about['sys_platform']} {about['platform_machine']}")
    print("\n".join([f"{head} requirements.lock", *locked(found)]))
