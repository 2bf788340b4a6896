"""What other parsers read in documents: the oracle of support/programs.rs.

Reads documents from the standard input, each behind its length (a line), and writes a line for each: what the parser
named by the argument says of it, or "refused". Fields and events stand apart by control characters, which no document
has; new lines in them are replaced by others.
"""

import sys


def line_of(said):
    """Text in one piece, attributes in the order of their names."""
    merged = []
    for event in said:
        if event[0] == "text" and merged and merged[-1][0] == "text":
            merged[-1] = ("text", merged[-1][1] + event[1])
        elif event[0] != "text" or event[1]:
            merged.append(event)
    line = "\x1e".join("\x1f".join(event) for event in merged)
    return line.replace("\n", "\x11").replace("\r", "\x12")


def start(name, attributes):
    fields = [field for attribute in sorted(attributes) for field in attribute]
    return ("start", *name, *fields)


def expat():
    from xml.parsers.expat import ExpatError, ParserCreate

    # A character that no document has, for expat joins names by it without a look at them (CVE-2022-25236).
    separator = "\x01"

    def named(name):
        namespace, _, local = name.rpartition(separator)
        return (namespace, local)

    def read(document):
        said = []
        parser = ParserCreate(namespace_separator=separator)
        parser.StartElementHandler = lambda name, attributes: said.append(
            start(named(name), [(*named(key), value) for key, value in attributes.items()])
        )
        parser.EndElementHandler = lambda name: said.append(("end",))
        parser.CharacterDataHandler = lambda text: said.append(("text", text))
        try:
            parser.Parse(document, True)
        except ExpatError:
            return None
        return said

    return read


def libxml2():
    from lxml import etree

    def named(name):
        name = etree.QName(name)
        return (name.namespace or "", name.localname)

    def read(document):
        parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=False)
        try:
            root = etree.fromstring(document, parser)
        except etree.XMLSyntaxError:
            return None
        said = []
        for event, element in etree.iterwalk(root, events=("start", "end")):
            if event == "start":
                attributes = [(*named(key), value) for key, value in element.attrib.items()]
                said += [start(named(element), attributes), ("text", element.text or "")]
            else:
                said += [("end",), ("text", element.tail or "")]
        return said

    return read


def main():
    read = {"expat": expat, "libxml2": libxml2}[sys.argv[1]]()
    documents, lines = sys.stdin.buffer, sys.stdout.buffer
    while length := documents.readline():
        said = read(documents.read(int(length)))
        line = "refused" if said is None else line_of(said)
        lines.write(line.encode() + b"\n")


main()
