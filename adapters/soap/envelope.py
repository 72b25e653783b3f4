"""SOAP envelopes of both versions, read within limits and written: bodies, faults, the UsernameToken of WS-Security."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final, NamedTuple

from lxml import etree

from gateway.core.xml_value import MOST_BYTES, SOAP, SOAP_12

SPACES: Final = {"1.1": SOAP, "1.2": SOAP_12}
_OASIS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_WSSE: Final = f"{_OASIS}wssecurity-secext-1.0.xsd"
_WSU: Final = f"{_OASIS}wssecurity-utility-1.0.xsd"
_TEXT: Final = f"{_OASIS}username-token-profile-1.0#PasswordText"
_DIGEST: Final = f"{_OASIS}username-token-profile-1.0#PasswordDigest"
_BASE64: Final = f"{_OASIS}soap-message-security-1.0#Base64Binary"
_LONGEST: Final = 2000


class Unframed(ValueError):
    """The bytes are no SOAP envelope that may be read; the text names the reason, never the content."""


class Fault(NamedTuple):
    """A SOAP fault: its code without a prefix, its words, and the element of its details."""

    code: str
    text: str
    detail: Any


class Token(NamedTuple):
    """What a UsernameToken is made of. ``nonce`` and ``created`` for a digest, which is SHA-1 as the standard says."""

    username: str
    password: str
    is_digest: bool
    nonce: bytes
    created: str


def body_of(raw: bytes) -> Any:
    """The first element in the body, or a Fault; None where the body is empty. Raises Unframed."""
    if len(raw) > MOST_BYTES:
        raise Unframed("too large")
    if b"<!DOCTYPE" in raw[:4096]:
        raise Unframed("a document type")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(raw.strip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unframed(type(error).__name__) from None
    if root.getroottree().docinfo.doctype:
        raise Unframed("a document type")
    name = etree.QName(root)
    if name.localname != "Envelope" or name.namespace not in SPACES.values():
        raise Unframed("no envelope")
    body = root.find(f"{{{name.namespace}}}Body")
    if body is None:
        raise Unframed("no body")
    found = next((child for child in body if isinstance(child.tag, str)), None)
    return (
        _fault(found, str(name.namespace)) if found is not None and found.tag == f"{{{name.namespace}}}Fault" else found
    )


def framed(version: str, inner: Any, token: Token | None = None) -> bytes:
    """An envelope around an element; None leaves the body empty."""
    space = SPACES[version]
    envelope = etree.Element(f"{{{space}}}Envelope", nsmap={"soap": space})
    if token is not None:
        _secure(etree.SubElement(envelope, f"{{{space}}}Header"), space, token)
    body = etree.SubElement(envelope, f"{{{space}}}Body")
    if inner is not None:
        body.append(inner)
    return bytes(etree.tostring(envelope, xml_declaration=True, encoding="UTF-8"))


def fault(version: str, text: str, *, is_ours: bool) -> bytes:
    """A fault in an envelope; ``is_ours``: the receiver cannot now, else the sender must change something."""
    space = SPACES[version]
    made = etree.Element(f"{{{space}}}Fault", nsmap={"soap": space})
    if version == "1.2":
        code = etree.SubElement(etree.SubElement(made, f"{{{space}}}Code"), f"{{{space}}}Value")
        code.text = "soap:Receiver" if is_ours else "soap:Sender"
        reason = etree.SubElement(etree.SubElement(made, f"{{{space}}}Reason"), f"{{{space}}}Text")
        reason.set("{http://www.w3.org/XML/1998/namespace}lang", "vi")
        reason.text = text
    else:
        etree.SubElement(made, "faultcode").text = "soap:Server" if is_ours else "soap:Client"
        etree.SubElement(made, "faultstring").text = text
    return framed(version, made)


def _fault(element: Any, space: str) -> Fault:
    if space == SOAP:
        code, text, detail = (element.find(name) for name in ("faultcode", "faultstring", "detail"))
    else:
        code = element.find(f"{{{space}}}Code/{{{space}}}Value")
        text = element.find(f"{{{space}}}Reason/{{{space}}}Text")
        detail = element.find(f"{{{space}}}Detail")
    said = "" if code is None else (code.text or "").strip().rpartition(":")[2]
    return Fault(said[:100], "" if text is None else (text.text or "").strip()[:_LONGEST], detail)


def _secure(header: Any, space: str, token: Token) -> None:
    security = etree.SubElement(header, f"{{{_WSSE}}}Security", nsmap={"wsse": _WSSE, "wsu": _WSU})
    security.set(f"{{{space}}}mustUnderstand", "1" if space == SOAP else "true")
    name = etree.SubElement(security, f"{{{_WSSE}}}UsernameToken")
    etree.SubElement(name, f"{{{_WSSE}}}Username").text = token.username
    password = etree.SubElement(name, f"{{{_WSSE}}}Password")
    password.set("Type", _DIGEST if token.is_digest else _TEXT)
    if not token.is_digest:
        password.text = token.password
        return
    # The standard names SHA-1; whoever reads the wire still needs the password to make another.
    digest = hashlib.sha1(token.nonce + token.created.encode() + token.password.encode()).digest()  # noqa: S324
    password.text = base64.b64encode(digest).decode("ascii")
    nonce = etree.SubElement(name, f"{{{_WSSE}}}Nonce", EncodingType=_BASE64)
    nonce.text = base64.b64encode(token.nonce).decode("ascii")
    etree.SubElement(name, f"{{{_WSU}}}Created").text = token.created
