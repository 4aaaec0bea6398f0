"""What the site takes from beside docs/: pages that are linked from it, and nothing from the network."""

import re
from pathlib import Path

from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).parents[2]
SHIM, OURS = "https://unpkg.com/iframe-worker/shim", "theme/worker.js"
NEIGHBOURS = (
    "CONTRIBUTING.md",
    "empirical/artifacts/README.md",
    "empirical/artifacts/adapters/README.md",
    "empirical/artifacts/scorers/README.md",
)


def on_files(files, config):
    """Add the neighbours to the files of the site."""
    for path in NEIGHBOURS:
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """A link out of docs/ to a neighbour, or from one into docs/, as the site has it."""
    if page.file.src_uri in NEIGHBOURS:
        return re.sub(r"\]\((?:\.\./)*docs/", f"]({'../' * page.file.src_uri.count('/')}", markdown)
    depth = page.file.src_uri.count("/")
    return markdown.replace("](" + "../" * (depth + 1), "](" + "../" * depth)


def on_post_page(output, page, config):
    """The one script that the theme would fetch is ours."""
    return output.replace(SHIM, get_relative_url(OURS, page.url))


def on_post_template(output, template_name, config):
    """The same where there is no page: at 404."""
    return output.replace(SHIM, OURS)
