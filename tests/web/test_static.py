"""The files of the page: all of them wherever nova is installed, and nothing that the page's own policy forbids."""

import posixpath
import re

from nova_async.web.static_files import files

NAMED_IN_HTML = re.compile(r'(?:src|href)="/static/([^"]+)"')
IMPORTED = re.compile(r'(?:^|[;}\s])(?:import|export)[^"\';]*?from\s*"([^"]+)"|import\s*"([^"]+)"')
LICENCES = {"vendor/README.txt", "vendor/preact.LICENSE.txt", "vendor/htm.LICENSE.txt"}
MOST_LINES = 400


def imports_of(name: str) -> set[str]:
    """Return the files that a module imports, by their names below ``/static/``."""
    found = IMPORTED.findall(files()[name].read_text())
    return {posixpath.normpath(posixpath.join(posixpath.dirname(name), one or other)) for one, other in found}


def test_the_page_has_all_its_files_and_no_other() -> None:
    """In the tree, the wheel and the source distribution: what the page names is there, and is named."""
    needed = {"index.html"}
    reached = list(NAMED_IN_HTML.findall(files()["index.html"].read_text()))
    while reached:
        name = reached.pop()
        if name not in needed:
            needed.add(name)
            reached += imports_of(name) if name.endswith(".js") else ()
    assert needed | LICENCES == set(files())
    assert len(needed) > 20


def test_nothing_in_the_page_breaks_its_own_policy() -> None:
    """No inline script, style or handler, no other server, and nothing that makes markup or code of a text."""
    html = files()["index.html"].read_text()
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=", html)
    for name, path in files().items():
        if name.startswith("vendor/"):
            continue
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, name
        for word in ("innerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"):
            assert word not in text, name


def test_the_modules_are_small() -> None:
    """A file is read as a whole."""
    long = {name for name, path in files().items() if len(path.read_text().splitlines()) > MOST_LINES}
    assert not {name for name in long if not name.startswith("vendor/")}
