"""Our Markdown, made ready for Doxygen.

Doxygen reads Markdown, but with its own commands mixed in: a word after @, \\ or # means something to it, code in a text is
linked to whatever symbol of src/ has the same name, and our fences' attributes are unknown to it. So each page is rewritten
first: fences and code spans become HTML that Doxygen passes through, special characters are escaped, links get Doxygen's
labels, and figures become part of the page, their nodes linked to the code that they name. Links to sources are left as
SOURCE/path until Doxygen has named its files; pages.py replaces them then.
"""
import html
import re
from pathlib import Path

import book
import weave

SOURCE = "https://source.invalid/"
WORDS = {"en": ("terminal %s", "varies from run to run"), "ko": ("터미널 %s", "실행할 때마다 다르다")}
KEYWORDS = ("auto break case char const continue default do double else enum extern float for goto if inline int long return short "
            "signed sizeof static struct switch typedef union unsigned void volatile while bool true false NULL").split()
C_TOKEN = re.compile(r'(?P<com>//.*|/\*.*?\*/|^\s*\*(?: .*|/)?$|/\*.*)|(?P<str>"(?:\\.|[^"\\])*"|<[a-z_/0-9]+\.h>|\'(?:\\.|[^\'\\])+\')'
                     r"|(?P<pre>^\s*#\s*\w+)|(?P<word>\b[A-Za-z_]\w*\b)")


def no_comment(text):
    """HTML without the signs that begin and end a comment in C, for which Doxygen looks even here."""
    return text.replace("/*", "/&#42;").replace("*/", "&#42;/")


def raw(text):
    if not text.startswith("<"):  # a letter would become a part of the command's name
        text = "<span>%s</span>" % text
    return "\\htmlonly%s\\endhtmlonly" % no_comment(text)


def coloured(line, lang):
    """A line of C with its comments, strings and keywords marked."""
    if lang not in ("c", "h"):
        return html.escape(line)
    out, at = "", 0
    for m in C_TOKEN.finditer(line):
        kind = m.lastgroup if m.lastgroup != "word" else "key" if m[0] in KEYWORDS else None
        out += html.escape(line[at : m.start()])
        out += '<i class="%s">%s</i>' % (kind, html.escape(m[0])) if kind else html.escape(m[0])
        at = m.end()
    return out + html.escape(line[at:])


def code_block(f, lang):
    if f.lang == "console":
        return console(f, lang)
    caption = " · ".join(f.attrs[k] for k in ("file", "region") if k in f.attrs)
    head = '<div class="caption">%s</div>' % html.escape(caption) if caption else ""
    body = "\n".join(coloured(s, f.lang) for s in f.body)
    return '%s<pre class="piece">%s</pre>' % (head, body)


def console(f, lang):
    term, varies = WORDS[lang]
    prompts = [p for p in ("$ ", "> ", f.attrs.get("prompt")) if p]
    lines = []
    for s in f.body:
        p = next((p for p in prompts if s.startswith(p)), None)
        if p:
            lines.append('<span class="prompt">%s</span><b>%s</b>' % (html.escape(p), html.escape(s[len(p) :])))
        else:
            lines.append(re.sub("«([^»]*)»", r'<span class="varies" title="%s">\1</span>' % varies, html.escape(s, quote=False)))
    head = '<div class="caption">%s</div>' % (term % f.attrs["term"]) if "term" in f.attrs else ""
    return '%s<pre class="console">%s</pre>' % (head, "\n".join(lines))


def span(code):
    """A code span; the name of a source file of ours becomes a link to it, where the reference has it: it is made of C."""
    shown = "<code>%s</code>" % html.escape(code)
    if re.fullmatch(r"src/[\w./-]+(/|\.[ch])", code) and (book.ROOT / code).exists():
        shown = '<a href="%s%s">%s</a>' % (SOURCE, code.rstrip("/"), shown)
    return raw(shown)


class Page:
    """A page of the site: where it comes from, its label, language and title."""

    def __init__(self, path, label, lang):
        self.path, self.label, self.lang = path, label, lang
        self.lines = path.read_text().splitlines()
        self.title = next((s[2:].strip() for s in self.lines if s.startswith("# ")), path.parent.name)
        self.labels, self.sections = {}, []  # a heading's anchor → its label; [(label, heading, text)] for the search
        fences = {i for f in book.fences("\n".join(self.lines)) for i in range(f.first, f.last + 1)}
        for i, s in enumerate(self.lines):
            m = re.match(r"#{2,6} (?:<a id=\"([^\"]+)\"></a>)?(.*)", s)
            if m and i not in fences:
                self.labels[m[1] or weave.slug(m[2])] = "%s_s%d" % (label, i)


class Site:
    """Knows all pages, so that a link from one finds the other."""

    def __init__(self, pages, link_node):
        self.pages = {p.path.resolve(): p for p in pages}
        self.link_node = link_node

    def link(self, page, text, target):
        name, _, fragment = target.partition("#")
        if re.match(r"[a-z]+:", target):
            return '<a href="%s">%s</a>' % (html.escape(target), text)
        to = (page.path.parent / name).resolve() if name else page.path.resolve()
        if to.is_dir() and (to / "README.md").resolve() in self.pages:
            to = to / ("README.ko.md" if page.lang == "ko" and (to / "README.ko.md") in self.pages else "README.md")
        if to in self.pages:
            p = self.pages[to]
            if fragment and fragment in p.labels:
                return '<a href="%s.html#%s">%s</a>' % (p.label, p.labels[fragment], text)
            return '<a href="%s.html">%s</a>' % (p.label, text)
        if (book.ROOT / "src") in to.parents:
            return '<a href="%s%s">%s</a>' % (SOURCE, to.relative_to(book.ROOT).as_posix(), text)
        return text  # a file that the site does not show

    def inline(self, page, text):
        """Prose, of one or more lines."""
        kept = []

        def keep(s):
            kept.append(s)
            return "\0%d\0" % (len(kept) - 1)

        def label(s):  # a link's text, which may hold code spans kept already
            return re.sub("\0(\\d+)\0", lambda m: re.sub(r"\\(end)?htmlonly", "", kept[int(m[1])]), html.escape(s, quote=False))

        text = re.sub(r"(`+)(.+?)\1", lambda m: keep(span(" ".join(m[2].split()).replace("\\|", "|"))), text, flags=re.S)
        text = re.sub(r"\[([^\]]*)\]\(([^)\s]+)\)", lambda m: keep(raw(self.link(page, label(m[1]), m[2]))), text)
        text = re.sub(r"([\\@#%&<])(?=\S)", r"\\\1", text) if not text.startswith("#") else text
        return re.sub("\0(\\d+)\0", lambda m: kept[int(m[1])], text)

    def figure(self, page, alt, target):
        path = (page.path.parent / target).resolve()
        if path.suffix != ".svg" or not path.exists():
            raise book.Complaint("%s: the figure %s is not there or is not an SVG." % (book.name_of(page.path), target))
        return '<figure role="img" aria-label="%s">%s</figure>' % (html.escape(alt), self.svg(path))

    def svg(self, path):
        """The drawing as a part of the page; what names a source becomes a link."""
        text = path.read_text()
        text = text[text.index("<svg") :]
        text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)
        text = re.sub(r'<svg width="(\d+)pt" height="\d+pt"', lambda m: '<svg style="width:%dpx"' % (int(m[1]) * 1.33), text)
        text = re.sub(r'\bid="', 'id="%s_' % path.stem.replace(".", "_"), text)

        def node(m):
            name = html.unescape(re.search(r"<title>(.*?)</title>", m[0])[1])
            whole = self.link_node(path.stem, name, None)

            def line(t):
                to = self.link_node(path.stem, name, html.unescape(t[2]).strip())
                return self.anchor(to, t[0]) if to and to != whole else t[0]

            inner = re.sub(r"(<text[^>]*>)(.*?)</text>", line, m[0])
            return self.anchor(whole, inner) if whole else inner

        return re.sub(r'<g id="[^"]*" class="node">.*?</g>', node, text, flags=re.S)

    @staticmethod
    def anchor(to, inner):
        if inner.startswith("<g "):  # an anchor inside an anchor is no SVG: link only the lines that have none
            return re.sub(r"(?<!>)(<(?:path|polygon|ellipse)[^>]*/>|<text[^>]*>.*?</text>)(?!</a>)",
                          lambda m: m[0] if "</a>" in m[0] else Site.anchor(to, m[0]), inner)
        return '<a xlink:href="%s%s" xlink:title="%s">%s</a>' % (SOURCE, to, to, inner)

    def render(self, page, above, below):
        """The page as Doxygen shall read it."""
        text = re.sub(r"<!--.*?-->", "", "\n".join(page.lines), flags=re.S)
        lines, out = text.splitlines(), []
        fences = {f.first: f for f in book.fences(text)}
        i, section, bulleted = 0, [page.label, page.title, []], False
        number = {s: n for n, s in enumerate(page.lines)}
        while i < len(lines):
            s = lines[i]
            heading = re.match(r"(#+) (?:<a id=\"[^\"]+\"></a>)?(.*)", s)
            picture = re.fullmatch(r"!\[([^\]]*)\]\(([^)\s]+)\)\s*", s)
            if i in fences:
                out += ["", "\\htmlonly[block]", no_comment(code_block(fences[i], page.lang)), "\\endhtmlonly", ""]
                section[2] += fences[i].body
                i = fences[i].last
            elif heading and heading[1] == "#":
                out += ["# %s {#%s}" % (plain(heading[2]), "mainpage" if page.label == "index" else page.label), "", "\\htmlonly[block]", above, "\\endhtmlonly", ""]
            elif heading:
                page.sections.append(section)
                label = "%s_s%d" % (page.label, number[s])
                section = [page.label + ".html#" + label, plain(heading[2]), []]
                out += ["", "%s %s {#%s}" % (heading[1], plain(heading[2]), label), ""]
            elif picture:
                out += ["", "\\htmlonly[block]", self.figure(page, picture[1], picture[2]), "\\endhtmlonly", ""]
            elif s.startswith("    ") and not bulleted and not lines[i - 1].strip():
                first = i
                while i + 1 < len(lines) and (lines[i + 1].startswith("    ") or not lines[i + 1].strip()):
                    i += 1
                body = [x[4:] for x in lines[first : i + 1]]
                block = book.Fence("", {}, 0, 0, "\n".join(body).rstrip().split("\n"))
                out += ["\\htmlonly[block]", no_comment(code_block(block, page.lang)), "\\endhtmlonly", ""]
            else:
                first, row = i, s.startswith("|")
                while not row and s.strip() and i + 1 < len(lines) and re.match(r"\s*[^\s|#>`]", lines[i + 1]) and i + 1 not in fences:
                    i += 1
                prose = "\n".join(lines[first : i + 1])
                bulleted = bool(re.match(r"\s*([-*+]|\d+[.)])\s", s)) or bulleted and (not s.strip() or s.startswith(" "))
                if row and (not out or not out[-1].startswith("|")):
                    out.append("")
                out.append(self.inline(page, prose))
                section[2].append(re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*|>]", r"\1", prose))
            i += 1
        page.sections.append(section)
        return "\n".join(out + ["", "\\htmlonly[block]", below, "\\endhtmlonly", ""])


def plain(heading):
    """A heading without marks; Doxygen's special signs escaped, and its number kept from beginning a list."""
    heading = re.sub(r"^(\d+)\. ", "\\1.\u00a0", heading)
    return re.sub(r"([\\@#%&<])(?=\S)", r"\\\1", heading.replace("`", "")).strip()
