"""Lists of documents as ERCOT's public site gives them: which are CSV, which are newest.

Names vary: ``SPPHLZNP6905_20250730_0845_csv``, with ``retry`` in it for a second attempt and with ``xhr`` at its end in
the repeated hour. They are not read for times; the rows say what they are of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from streams.errors import FeedError
from streams.feeds.reading import iso_us, json_of, obj, rows

CSV_NAME = re.compile(r"(?:^|[._])csv(?:$|[._])|csv(?:xhr)?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a list."""

    number: str
    name: str
    published: str

    @property
    def order(self) -> tuple[int, int]:
        """Later documents have the greater one. A time that cannot be read counts as the oldest."""
        try:
            published_us = iso_us(self.published)
        except FeedError:
            published_us = 0
        return published_us, int(self.number)


def documents(payload: bytes, named: str) -> list[Document]:
    """CSV documents of a list, newest first; of each pair of CSV and XML the XML is left out.

    A report that has no document has no DocumentList, or an empty one. FeedError on what is no list.
    """
    answer = obj(obj(json_of(payload), "the list").get("ListDocsByRptTypeRes"), "ListDocsByRptTypeRes")
    listed = answer.get("DocumentList") or []
    found: list[Document] = []
    for entry in rows([listed] if isinstance(listed, dict) else listed, "DocumentList"):
        described = obj(obj(entry, "an entry").get("Document"), "Document")
        number, name = str(described.get("DocID", "")), str(described.get("ConstructedName", ""))
        friendly = str(described.get("FriendlyName", ""))
        if not re.fullmatch(r"[0-9]{1,20}", number):
            raise FeedError(f"DocID {number[:40]!r} is no number")
        if (CSV_NAME.search(friendly) or CSV_NAME.search(name.removesuffix(".zip"))) and named in f"{name} {friendly}":
            published = str(described.get("PublishDate", ""))
            found.append(Document(number, (name or friendly)[:200], published[:40]))
    return sorted(found, key=lambda document: document.order, reverse=True)
