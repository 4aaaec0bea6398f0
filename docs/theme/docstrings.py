"""Docstrings here are plain text with formulas: keep the signs that Markdown would take, and fence what is indented."""

import re

from griffe import Extension

SIGNS = str.maketrans({"*": r"\*", "_": r"\_", "<": "&lt;"})


def markdown(text: str) -> str:
    """Paragraphs as they are, with their signs escaped; indented formulas and doctests as code."""
    return "\n\n".join(map(_paragraph, re.split(r"\n\s*\n", text)))


def _paragraph(text: str) -> str:
    if text.lstrip().startswith(">>>"):
        return f"```pycon\n{text}\n```"
    if text.startswith("    "):
        return f"```text\n{re.sub('^    ', '', text, flags=re.MULTILINE)}\n```"
    if text.startswith("- "):
        text = f"\n{text}"
    code = re.split(r"(`[^`\n]+`)", text)
    return "".join(part if place % 2 else part.translate(SIGNS) for place, part in enumerate(code))


class PlainText(Extension):
    """Rewrite every docstring that is loaded."""

    def on_instance(self, *, obj, **kwargs) -> None:
        """Once an object: its docstring as Markdown."""
        if obj.docstring and not obj.is_alias:
            obj.docstring.value = markdown(obj.docstring.value)
