"""Says in a photo's XMP what was done to it, where other programs look for that; whatever the XMP
says already stays."""

import re
from dataclasses import dataclass
from typing import Any
from xml.dom import minidom
from xml.sax.saxutils import quoteattr

from enhance.photos.metadata import parsed_xmp, written_xmp
from enhance.version import VERSION

CODES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
ENHANCED = "algorithmicallyEnhanced"
COMPOSITE = "compositeWithTrainedAlgorithmicMedia"

# The more of a picture is made up, the later; a code is never replaced by an earlier one.
_ORDER = (ENHANCED, "compositeSynthetic", COMPOSITE, "algorithmicMedia", "trainedAlgorithmicMedia")
_RANKS = {code: rank for rank, code in enumerate(_ORDER)}

_SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
    "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
}
_DECLARED = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in _SPACES.items())
_CODE = re.compile(rf"\s*{re.escape(CODES)}(\w+)\s*")
_EMPTY = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_SPACES["rdf"]}"></rdf:RDF>'
    '</x:xmpmeta><?xpacket end="w"?>'
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
    packet = parsed_xmp((xmp or b"").rstrip(b"\0") or _EMPTY)
    try:
        roots = packet.getElementsByTagNameNS(_SPACES["rdf"], "RDF")
        if not roots:
            raise ValueError("no XMP")
        _record(roots[0], done)
        return written_xmp(packet)
    except RecursionError as error:
        raise ValueError("too deep") from error


def _record(root: Any, done: Provenance) -> None:
    """Say what was done in an element RDF."""
    descriptions = [node for node in root.childNodes if node.nodeType == node.ELEMENT_NODE]
    agent, added = f"enhance {VERSION}", ""
    event = (
        f'<rdf:li {_DECLARED} stEvt:action="edited" stEvt:softwareAgent={_quoted(agent)} '
        f"stEvt:parameters={_quoted(done.settings)}/>"
    )
    history = _property(descriptions, "xmpMM", "History")
    if history is None:
        added += f"<xmpMM:History><rdf:Seq>{event}</rdf:Seq></xmpMM:History>"
    elif history.nodeType == history.ELEMENT_NODE:
        for events in history.getElementsByTagNameNS(_SPACES["rdf"], "Seq")[:1]:
            _append(events, event)
    if _property(descriptions, "xmp", "CreatorTool") is None:  # it names what made the photo
        added += f"<xmp:CreatorTool>{agent}</xmp:CreatorTool>"
    source = _property(descriptions, "Iptc4xmpExt", "DigitalSourceType")
    if source is not None:
        _raise_code(source, done.source)
    elif done.source:
        code = f"{CODES}{done.source}"
        added += f"<Iptc4xmpExt:DigitalSourceType>{code}</Iptc4xmpExt:DigitalSourceType>"
    if added:
        abouts = (_attribute(each, "rdf", "about") for each in descriptions)
        about = _quoted(next((each.value for each in abouts if each and each.value), ""))
        _append(root, f"<rdf:Description {_DECLARED} rdf:about={about}>{added}</rdf:Description>")


def _property(descriptions: list[Any], prefix: str, name: str) -> Any:
    """The attribute or element that has a property of a photo; None if there is none."""
    for description in descriptions:
        nodes = [_attribute(description, prefix, name), *description.childNodes]
        for node in filter(None, nodes):
            if (node.namespaceURI, node.localName) == (_SPACES[prefix], name):
                return node
    return None


def _attribute(element: Any, prefix: str, name: str) -> Any:
    return element.getAttributeNodeNS(_SPACES[prefix], name)


def _append(element: Any, xml: str) -> None:
    element.appendChild(minidom.parseString(xml).documentElement)  # noqa: S318, our own


def _raise_code(source: Any, code: str) -> None:
    """Replace the IPTC's code in a property unless that says more than the new one."""
    if source.nodeType == source.ELEMENT_NODE:
        source = _attribute(source, "rdf", "resource") or source.firstChild
    found = _CODE.fullmatch(source.nodeValue or "") if source else None
    if found and _RANKS.get(found[1], -1) < _RANKS.get(code, -1):
        source.nodeValue = f"{CODES}{code}"


def _quoted(text: str) -> str:
    return quoteattr("".join(each if each.isprintable() else "?" for each in text))
