"""Says in a photo's XMP what was done to it, where other programs look for that.

What the packet says already stays as it is, byte by byte: properties are inserted where a parser
finds their place. The parser stops at a document type, so no entities are expanded, and keeps
nothing in memory but the places.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from enhance.photos.metadata import may_be_parsed
from enhance.version import VERSION

CODES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
ENHANCED = "algorithmicallyEnhanced"
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"

# The more of a picture is made up, the later; a code is never replaced by an earlier one.
_RANKS = (ENHANCED, "compositeSynthetic", COMPOSITE, "algorithmicMedia", "trainedAlgorithmicMedia")
_DEEPEST = 100  # elements within each other

_SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in _SPACES.items())
# Names as the parser gives them.
_ROOT, _ABOUT, _LIST = (f"{_SPACES['rdf']} {name}" for name in ("RDF", "about", "Seq"))
_TOOL = f"{_SPACES['xmp']} CreatorTool"
_HISTORY = f"{_SPACES['xmpMM']} History"
_SOURCE = f"{_SPACES['Iptc4xmpExt']} DigitalSourceType"
_END_OF_ROOT, _END_OF_LIST = (  # unlike <rdf:RDF/>, after which the parser is when that ends
    re.compile(rb"</(?:[^\s<>:]+:)?" + name + rb"\s*>") for name in (b"RDF", b"Seq")
)
_CODE = re.compile(re.escape(CODES.encode()) + rb"(\w+)")
_CODE_IN_ATTRIBUTE = re.compile(rb"DigitalSourceType\s*=\s*[\"']" + _CODE.pattern)
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_SPACES["rdf"]}"></rdf:RDF>'
    '</x:xmpmeta>\n<?xpacket end="w"?>'
).encode()


@dataclass(frozen=True)
class Provenance:
    """What was done to a photo. source: the IPTC's code for it, "" if there is none.
    settings: the options, for the photo's history."""

    source: str
    settings: str


def recorded(xmp: bytes | None, done: Provenance) -> bytes:
    """The XMP packet, or a new one, which also says what was done. Raises ValueError if the packet
    cannot be read."""
    packet = (xmp or b"").rstrip(b"\0") or _EMPTY
    there = _Places(packet)
    agent, settings = f"enhance {VERSION}", done.settings
    event = (
        f'<rdf:li {_DECLARED} stEvt:action="edited" stEvt:softwareAgent={_quoted(agent)} '
        f"stEvt:parameters={_quoted(settings)}/>"
    )
    edits: list[tuple[int, int, str]] = []  # what replaces the bytes from here to there
    added = ""
    if there.history:
        edits.append((there.history, there.history, event))
    elif _HISTORY not in there.names:
        added += f"<xmpMM:History><rdf:Seq>{event}</rdf:Seq></xmpMM:History>"
    if _TOOL not in there.names:  # otherwise it names the tool that made the photo
        added += f"<xmp:CreatorTool>{agent}</xmp:CreatorTool>"
    if there.code and _rank(there.code[1].decode()) < _rank(done.source):
        edits.append((*there.code.span(1), done.source))
    elif done.source and _SOURCE not in there.names:
        source = f"{CODES}{done.source}"
        added += f"<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType>"
    if added:
        about = _quoted(there.about)
        block = f"<rdf:Description {_DECLARED} rdf:about={about}>{added}</rdf:Description>"
        edits.append((there.end, there.end, block))
    for start, end, new in sorted(edits, reverse=True):
        packet = packet[:start] + new.encode("ascii", "xmlcharrefreplace") + packet[end:]
    return packet


def _rank(code: str) -> int:
    return _RANKS.index(code) if code in _RANKS else -1


def _quoted(text: str) -> str:
    return quoteattr("".join(each if each.isprintable() else "?" for each in text))


class _Places:
    """Where things are in an XMP packet, in bytes from its start. Raises ValueError if it cannot be
    read.

    names: which of our properties it has. about: what its descriptions say they describe. end:
    where the last of them ends. history: where the list of events ends, 0 if there is none. code:
    the IPTC's code, as group 1.
    """

    def __init__(self, packet: bytes) -> None:
        self.names: set[str] = set()
        self.about = ""
        self.end = self.history = 0
        self.code: re.Match[bytes] | None = None
        self._packet = packet
        self._open: list[tuple[str, int]] = []  # the elements around a place, from RDF on
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse
        if not may_be_parsed(packet):
            raise ValueError("too long, or no UTF-8")
        try:
            self._parser.Parse(packet, True)
        except expat.ExpatError as error:
            raise ValueError(str(error)) from error
        if not self.end:
            raise ValueError("no XMP")

    def _refuse(self, *_: object) -> None:
        raise ValueError("a document type could define entities")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and (self.end or name != _ROOT):
            return
        at = self._parser.CurrentByteIndex
        self._open.append((name, at))
        if len(self._open) > _DEEPEST:
            raise ValueError("too deep")
        if len(self._open) == 2:  # a description, whose attributes are properties, too
            self.about = self.about or attributes.get(_ABOUT) or attributes.get("about", "")
            if _SOURCE in attributes and _SOURCE not in self.names:
                found = _CODE_IN_ATTRIBUTE.search(self._packet, at)
                if found and attributes[_SOURCE] == f"{CODES}{found[1].decode()}":
                    self.code = found
            self.names |= {_TOOL, _HISTORY, _SOURCE} & attributes.keys()
        elif len(self._open) == 3:
            self.names |= {_TOOL, _HISTORY, _SOURCE} & {name}

    def _end(self, name: str) -> None:
        if not self._open:
            return
        _, start = self._open.pop()
        at = self._parser.CurrentByteIndex
        around = [each for each, _ in self._open[1:]]
        if name == _ROOT and not self._open and _END_OF_ROOT.match(self._packet, at):
            self.end = at
        elif name == _SOURCE and len(around) == 1:
            self.code = _CODE.search(self._packet, start, max(at, self._packet.index(b">", start)))
        elif name == _LIST and around[1:] == [_HISTORY] and _END_OF_LIST.match(self._packet, at):
            self.history = at
