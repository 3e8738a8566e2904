#!/usr/bin/env python3
"""`make book`: chapters, glossary, exercises and the reference of src/ as one site in build/book/html.

Doxygen does the work; this prepares its input (markdown.py), gives it the paths, and finishes what it has made: links to sources
get the names of Doxygen's files, Korean pages say that they are Korean, and the book gets a search over its text that needs no
server and no network (Doxygen's own finds symbols, files and titles). Warnings are errors, and so is a link on one of our
pages that leads nowhere.
"""
import html
import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import book
import markdown

OUT = book.ROOT / "build/book"
LANGUAGES = {"en": ("", "English", "Contents", "Glossary", "Exercises", "Search", "src/"),
             "ko": (".ko", "한국어", "차례", "용어집", "연습문제", "찾기", "src/")}
# The nodes of diagrams/ and the sources that they stand for; a line of a label that is a string of src/ is found there.
NODES = {"gorae": "src/cli/main.c", "daemon": "src/api/main.c", "shim": "src/shim/main.c", "runtime": "src/runtime/main.c",
         "process": "src/runtime/child.c"}
SEARCH = """<p><input id="booksearch" type="search" placeholder="%s" autofocus></p><div id="found"></div>
<script src="book-search.js"></script><script>
var box = document.getElementById("booksearch"), found = document.getElementById("found");
function look() {
  var words = box.value.toLowerCase().split(/\\s+/).filter(Boolean); found.textContent = "";
  if (!words.length) return;
  BOOK.filter(function (r) { var t = (r[1] + " " + r[2] + " " + r[3]).toLowerCase();
    return words.every(function (w) { return t.indexOf(w) >= 0; }); }).slice(0, 60).forEach(function (r) {
    var p = document.createElement("p"), a = document.createElement("a"), at = r[3].toLowerCase().indexOf(words[0]);
    a.href = r[0]; a.textContent = r[1] === r[2] ? r[1] : r[1] + " › " + r[2]; p.appendChild(a);
    p.appendChild(document.createElement("br"));
    p.appendChild(document.createTextNode(r[3].substr(Math.max(0, at - 60), 200))); found.appendChild(p); });
}
box.oninput = look; if (location.hash) { box.value = decodeURIComponent(location.hash.substr(1)); look(); }
</script>"""


def pages():
    """All pages of the site, English before Korean, in reading order."""
    found = []
    for lang, words in LANGUAGES.items():
        end = "" if lang == "en" else "_ko"
        wanted = [(book.ROOT, "README", "index"), (book.ROOT / "chapters", "README", "chapters")]
        wanted += [(c.path, "README", "chapter_%02d" % c.number) for c in book.chapters()]
        wanted += [(book.ROOT / "chapters", "glossary", "glossary"), (book.ROOT / "exercises", "README", "exercises")]
        wanted += [(p, "README", "exercise_" + p.name.replace("-", "_")) for p in sorted((book.ROOT / "exercises").glob("[0-9]*")) if p.is_dir()]
        for folder, name, label in wanted:
            path = folder / (name + words[0] + ".md")
            if path.exists():
                found.append(markdown.Page(path, label + end, lang))
    return found


def bars(page, all_pages):
    """The lines above and below a page: the other language, contents, and what comes before and after."""
    have = {p.label: p for p in all_pages}
    end, other = ("", "_ko") if page.lang == "en" else ("_ko", "")
    _, _, contents, glossary, exercises, search, source = LANGUAGES[page.lang]
    base = page.label[: -len(end)] if end else page.label
    links = [(base + other, LANGUAGES["ko" if page.lang == "en" else "en"][1])]
    links += [("chapters" + end, contents), ("glossary" + end, glossary), ("exercises" + end, exercises), ("find" + end, search)]
    shown = ['<a href="%s.html">%s</a>' % (label, text) for label, text in links if label in have or label.startswith("find")]
    shown.append('<a href="files.html">%s</a>' % source)
    row = [p for p in all_pages if p.lang == page.lang]
    i, near = row.index(page), []
    if i:
        near.append('<a rel="prev" href="%s.html">← %s</a>' % (row[i - 1].label, html.escape(row[i - 1].title)))
    if i + 1 < len(row):
        near.append('<a rel="next" href="%s.html">%s →</a>' % (row[i + 1].label, html.escape(row[i + 1].title)))
    nav = '<nav class="bookbar">%s</nav>'
    return nav % " ".join(shown), nav % " ".join(near)


def node_links():
    """A function from (figure, node, line of its label) to a path below src/, or None."""
    strings = {}
    for p in sorted((book.ROOT / "src").rglob("*.c")):
        for s in re.findall(r'"((?:[^"\\\n]|\\.){6,80})"', p.read_text()):
            strings.setdefault(s, p.relative_to(book.ROOT).as_posix())

    def find(figure, node, line):
        if line is None:
            path = NODES.get(node) if figure != "house" else "src/" + node
            return path if path and (book.ROOT / path).exists() else None
        m = re.search(r"\(?(\w+\.[ch])\)?$", line)
        if m:
            hits = sorted((book.ROOT / "src").rglob(m[1]))
            return hits[0].relative_to(book.ROOT).as_posix() if len(hits) == 1 or hits and figure == "state-machine" else None
        return strings.get(line)

    return find


def stage(all_pages):
    folder = OUT / "in"
    shutil.rmtree(OUT, ignore_errors=True)
    folder.mkdir(parents=True)
    site = markdown.Site(all_pages, node_links())
    for p in all_pages:
        (folder / (p.label + ".md")).write_text(site.render(p, *bars(p, all_pages)))
    for lang, words in LANGUAGES.items():
        end = "" if lang == "en" else "_ko"
        text = "# %s {#find%s}\n\n\\htmlonly[block]\n%s\n\\endhtmlonly\n" % (words[5], end, SEARCH % words[5])
        (folder / ("find%s.md" % end)).write_text(text)
    return folder


def doxygen(folder):
    settings = (book.HERE / "Doxyfile").read_text()
    jobs = os.cpu_count() or 1
    settings += '\nINPUT = "%s" "%s"\nOUTPUT_DIRECTORY = "%s"\nSTRIP_FROM_PATH = "%s" "%s"\nHTML_EXTRA_STYLESHEET = "%s"\n' % (
        book.ROOT / "src", folder, OUT, book.ROOT, folder, book.HERE / "book.css")
    settings += 'GENERATE_TAGFILE = "%s"\nDOT_NUM_THREADS = %d\nINCLUDE_PATH = "%s"\n' % (OUT / "tags", jobs, book.ROOT / "src")
    settings += 'WARN_LOGFILE = "%s"\n' % (OUT / "warnings")
    r = subprocess.run(["doxygen", "-"], input=settings, text=True, capture_output=True, cwd=book.ROOT)
    said = real_warnings((OUT / "warnings").read_text() if (OUT / "warnings").exists() else r.stderr)
    if r.returncode or said:
        sys.stderr.write(said.replace(str(book.ROOT) + "/", ""))
        raise book.Complaint("Doxygen has warned, and warnings are errors: see above.")


def real_warnings(text):
    """Without the complaint that some parameters of a documented function are not described: the house describes only what the
    name and type don't say. Doxygen 1.9.4 has no option for that; a wrong name is still an error."""
    text = re.sub(r"^.*: The following parameters? of .* (?:is|are) not documented:\n(  parameter .*\n)*", "", text, flags=re.M)
    text = re.sub(r"^.*: parameters of member .* are not \(all\) documented\n", "", text, flags=re.M)
    return "".join(sorted(set(text.splitlines(True))))


def source_names():
    """{path below the project: Doxygen's file for it}"""
    names = {}
    for c in xml.parse(OUT / "tags").getroot().iter("compound"):
        file, name = c.findtext("filename"), c.findtext("name")
        if c.get("kind") == "file":
            names[(c.findtext("path") + name).replace(str(book.ROOT) + "/", "")] = file if file.endswith(".html") else file + ".html"
    for page in (OUT / "html").glob("dir_*.html"):
        m = re.search(r"<title>[^<]*: (\S+) Directory Reference</title>", page.read_text())
        if m:
            names[m[1]] = page.name
    return names


def finish(all_pages):
    """Doxygen's names for sources, the pages' language, the search; then look for links that lead nowhere."""
    site, names, broken = OUT / "html", source_names(), []
    for p in all_pages:
        file = site / (p.label + ".html")
        text = file.read_text()

        def source(m):
            if m[1] not in names:
                broken.append("%s: %s is not in the reference" % (file.name, m[1]))
            return names.get(m[1], "")

        text = re.sub(re.escape(markdown.SOURCE) + r'([^"\s]+)', source, text)
        text = re.sub(r"\( (<code>|<a href=|<span>)", r"(\1", text)  # the blank is Doxygen's
        text = re.sub(r"<html ([^>]*?)(?: lang=\"[^\"]*\")?>", '<html \\1 lang="%s">' % p.lang, text, count=1)
        file.write_text(text)
    rows = [[at if at.endswith("html") or "#" in at else at + ".html", p.title.replace("`", ""), heading.replace("`", ""), " ".join(" ".join(body).split())]
            for p in all_pages for at, heading, body in p.sections]
    (site / "book-search.js").write_text("var BOOK = %s;\n" % json.dumps(rows, ensure_ascii=False, separators=(",", ":")))
    ids = {}
    for p in all_pages:
        for target in re.findall(r'href="([^":]+)"', (site / (p.label + ".html")).read_text()):
            name, _, fragment = target.partition("#")
            file = site / (name or p.label + ".html")
            if not file.exists():
                broken.append("%s.html: %s does not exist" % (p.label, target))
            elif fragment and file.suffix == ".html":
                if file not in ids:
                    ids[file] = set(re.findall(r'\b(?:id|name)="([^"]+)"', file.read_text()))
                if fragment not in ids[file]:
                    broken.append("%s.html: %s has no such place" % (p.label, target))
    for path in list(site.rglob("*.md5")) + list(site.rglob("*.map")):
        path.unlink()  # Doxygen's own memory of what it has drawn
    for path in site.rglob("*.html"):
        if str(book.ROOT) in path.read_text(errors="replace"):
            broken.append("%s holds a path of this machine" % path.name)
    if broken:
        raise book.Complaint("\n".join(broken))


def main(args):
    if not shutil.which("doxygen") or not shutil.which("dot"):
        raise book.Complaint("The site is made by doxygen and graphviz: apt install doxygen graphviz")
    all_pages = pages()
    doxygen(stage(all_pages))
    finish(all_pages)
    print("the book is in %s" % book.name_of(OUT / "html/index.html"))
    return 0


if __name__ == "__main__":
    book.run(main)
