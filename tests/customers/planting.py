"""A person with unmistakable values in every column that any module's map names: a new column is planted by itself."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.db import connection, models
from phonenumber_field.modelfields import PhoneNumberField

from customers.models import BrokenRow, Customer, Merge, PrivacyRequest, Tag
from modules import personal_data
from modules.personal_data import Erasure, Holding, PlainEncoder, Treatment
from platforms.models import Platform, Vendor
from tests.factories import CustomerFactory, ImportRunFactory, TagFactory, VendorFactory

MARK, PHONE = "zqplanted", "+4930231"
# What a table's own constraints want beside what is planted.
FITTING: dict[type[models.Model], dict[str, Any]] = {PrivacyRequest: {"status": "done"}}
_LONG_AGO = datetime(1987, 6, 5, 4, 3, 2, tzinfo=UTC)


def tables() -> Iterator[tuple[str, str]]:
    """Yield every row of every table of the database as text, with the table's name."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            yield from ((table, repr(row)) for row in cursor.fetchall())


def found(*texts: str) -> list[tuple[str, str]]:
    """Return the rows, in any table of the database, in which one of the texts stands."""
    return [(table, row) for table, row in tables() if any(text in row for text in texts)]


@dataclass
class Planted:
    """Somebody with a row in every table that holds something on people, whoever they were merged into.

    told: by holding, what an export has to say of the row. forgotten: what nobody finds once they are erased.
    """

    platform: Platform
    name: str
    into: Customer | None = None
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = count(1)
        self.id = uuid.uuid4()
        self.email = f"{MARK}-{self.name}@example.com"
        holdings = [holding for found in personal_data.maps().values() for holding in found.holdings]
        # The customer first: the others point at it.
        for holding in sorted(holdings, key=lambda one: one.model is not Customer):
            self._plant(holding)
        self._plant_in_imports()

    @property
    def customer(self) -> Customer:
        """The customer as they are now."""
        return Customer.objects.get(pk=self.id)

    def _plant(self, holding: Holding) -> None:
        columns = holding.model._meta.concrete_fields
        values = {column.attname: self._value(column, holding.fields[column.name]) for column in columns}
        values |= FITTING.get(holding.model, {})
        if holding.model is Customer:
            merged = {"status": "merged", "merged_into_id": self.into.pk} if self.into else {"status": "active"}
            values |= {"id": self.id, "email": self.email, **merged}
        else:
            if holding.model is Merge:
                values |= {"merged_id": CustomerFactory(platform=self.platform).pk}
            values |= {column.attname: self.id for column in columns if column.name == holding.customer}
            values |= {column.attname: self.email for column in columns if column.name == holding.email}
        [row] = holding.model._base_manager.bulk_create([holding.model(**values)])
        self._note(holding, row.pk)

    def _plant_in_imports(self) -> None:
        """Plant a row that waits in a file and one that had an error: no column says whose those are."""
        names = [f"{MARK}-{self.name}-{number}.csv" for number in (1, 2)] + [f"{self.email}.csv"]
        values = {"email": self.email.upper(), "first_name": f"{MARK}-{self.name}-in-a-file"}
        said = {"code": "x", "attr": "email", "detail": f"{MARK}-{self.name}-in-an-error"}
        row = {"line": 3, "values": values, "faults": [said]}
        waiting, broken, _ = (ImportRunFactory(platform=self.platform, file_name=name) for name in names)
        waiting.chunks.create(number=1, rows=[row])
        BrokenRow.objects.create(run=broken, line=4, values=values, errors=[said])
        self.told["customers.ImportChunk"] = {"file_name": names[0], "rows": [row]}
        self.told["customers.BrokenRow"] = {"file_name": names[1], "values": values, "errors": [said]}
        self.told["customers.ImportRun"] = {"file_name": names[2]}
        self.forgotten += [*names, *values.values(), said["detail"]]

    def _value(self, column: Any, how: Treatment) -> Any:
        if column.is_relation:
            return self._relation(column)
        if not (how.is_exported or how.made_from):
            return column.get_default()
        number = next(self._numbers)
        text = f"{MARK}-{self.name}-{column.name}-{number}"
        match column:
            case models.JSONField():
                return {MARK: text}
            case models.DateTimeField():
                return _LONG_AGO + timedelta(days=number)
            case models.UUIDField():
                return uuid.uuid4()
            case models.BooleanField():
                return True
            case PhoneNumberField():
                return f"{PHONE}{number:05}"
            case _ if column.choices:
                return column.flatchoices[0][0]
            case models.CharField() | models.TextField():
                return text[-(column.max_length or 200) :]
        raise AssertionError(f"{column}: say in tests.customers.planting how a value of its kind is planted.")

    def _relation(self, column: Any) -> Any:
        number = next(self._numbers)
        if column.related_model is Platform:
            return self.platform.pk
        if column.related_model is Vendor:
            return VendorFactory(platform=self.platform, name=f"Vendor {number} of {self.name}").pk
        if column.related_model is Tag:
            return TagFactory(platform=self.platform, name=f"tag {number} of {self.name}").pk
        return None

    def _note(self, holding: Holding, key: Any) -> None:
        rows = holding.model._base_manager.filter(pk=key)
        told = self.told[holding.model._meta.label] = {}
        for name, how in holding.fields.items():
            said = rows.values_list(how.told_as or name, flat=True).get()
            if how.is_exported:
                told[name] = json.loads(json.dumps(said, cls=PlainEncoder))
            text = json.dumps(said, cls=PlainEncoder)
            if how.erasure is not Erasure.KEPT and (MARK in text or PHONE in text):
                self.forgotten.append(said[MARK] if isinstance(said, dict) else str(said))
