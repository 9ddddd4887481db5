"""VRI of a list: Voter Records Interchange, NIST SP 1500-102 (JSON), and beside it what VRI has no place for.

How each column is said in VRI, and what goes into the sidecar, stands with examples in ``contracts/vri/README.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from register.excerpts.manifest import Part
from register.excerpts.render_json import value_of
from register.excerpts.rows import ListHead, Row, columns_of

_ENCODER: Final = msgspec.json.Encoder(order="sorted")
#: Columns that a VRI file says; the others, and all that makes a list a list, stand in the sidecar.
SAID: Final = frozenset({"surname", "given_name", "parent_name", "born_on"})


class VriWriter:
    """Writes the VRI file while the rows come: one ``VoterRecord`` each, in the list's order."""

    def __init__(self, head: ListHead, part: Part) -> None:
        self._head = head
        self._columns = columns_of(head.kind)
        self._part = part
        self._comma = b""
        polling = _polling_place(head)
        self._polling = {} if polling is None else {"PollingLocation": polling}
        part.write(b'{"@type":"VRI.VoterRecordResults","TransactionId":%b,"VoterRecord":[' % _ENCODER.encode(head.name))

    def row(self, row: Row, texts: list[str], line: bytes) -> None:  # noqa: ARG002 - the texts are all it takes
        """Take one row."""
        self._part.write(self._comma + _ENCODER.encode(self._record(dict(zip(self._columns, texts, strict=True)))))
        self._comma = b","

    def end(self, rows_sha256: str) -> None:  # noqa: ARG002 - VRI has no place for it
        """Finish the file."""
        self._part.write(b"]}")

    def _record(self, row: dict[str, str]) -> dict[str, Any]:
        municipality = row.get("municipality") or self._head.municipality or ""
        name = {
            "@type": "VRI.Name",
            "LastName": row["surname"],
            "FirstName": row["given_name"],
            "MiddleName": [row["parent_name"]],
        }
        voter: dict[str, Any] = {
            "@type": "VRI.Voter",
            "Name": name,
            "DateOfBirth": row["born_on"],
            "ResidenceAddress": _address(", ".join(filter(None, _parts(row))) or municipality),
        }
        if row.get("foreign_address"):
            voter["MailingAddress"] = _address(", ".join(filter(None, (row["foreign_address"], row.get("country")))))
        record: dict[str, Any] = {"@type": "VRI.VoterRecord", "Voter": voter, "VoterStatus": "active", **self._polling}
        if row.get("polling_station"):
            record["PollingLocation"] = _unit("polling-place", row["polling_station"], None)
        if municipality:
            record["Locality"] = [_unit("municipality", municipality, self._head.municipality_name)]
        return record


class SidecarWriter:
    """Writes what VRI has no place for: the list's identity, and each row's remaining columns, by its number.

    ``vri_sha256`` is asked at the end: the digest of the VRI file, which must be finished by then.
    """

    def __init__(self, head: ListHead, part: Part, vri_sha256: Callable[[], str]) -> None:
        self._columns = columns_of(head.kind)
        self._part = part
        self._vri_sha256 = vri_sha256
        self._comma = b""
        part.write(b'{"columns":%b,"head":%b,"rows":[' % (_ENCODER.encode(self._columns), _ENCODER.encode(head)))

    def row(self, row: Row, texts: list[str], line: bytes) -> None:  # noqa: ARG002 - the texts are all it takes
        """Take one row."""
        values = {
            name: value_of(name, text)
            for name, text in zip(self._columns, texts, strict=True)
            if name not in SAID and (text or name == "remark")
        }
        self._part.write(self._comma + _ENCODER.encode(values))
        self._comma = b","

    def end(self, rows_sha256: str) -> None:
        """Finish the file."""
        digests = rows_sha256.encode(), self._vri_sha256().encode()
        self._part.write(b'],"rows_sha256":"%b","vri_sha256":"%b"}' % digests)


def _parts(row: dict[str, str]) -> tuple[str, str]:
    """Street with number, and settlement, of lists that show them."""
    street = " ".join(part for part in (row.get("street"), row.get("house_number")) if part)
    return street, row.get("settlement", "")


def _address(text: str) -> dict[str, Any]:
    return {"@type": "addr.GeneralAddressClass_type", "GeneralAddress": text}


def _polling_place(head: ListHead) -> dict[str, Any] | None:
    if head.station_code is None:
        return None
    return _unit("polling-place", head.station_code, head.station_name, head.station_address)


def _unit(type_: str, code: str, name: str | None, address: str | None = None) -> dict[str, Any]:
    """A reporting unit: a municipality by its statistical code, a polling place by its code within it."""
    identifier = {
        "@type": "VRI.ExternalIdentifier",
        "Type": "national-level" if type_ == "municipality" else "local-level",
        "Value": code,
    }
    unit: dict[str, Any] = {"@type": "VRI.ReportingUnit", "Type": type_, "ExternalIdentifier": [identifier]}
    if name:
        unit["Name"] = name
    if address:
        unit["Location"] = {"@type": "VRI.Location", "Address": _address(address)}
    return unit
