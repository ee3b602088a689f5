"""What a segment's rules may ask of customers: one table, of which API, admin and queries are made.

A rule is `{"field", "operator", "value"}`; beside an operator that takes no value there is none. What a rule names (a
tag, a vendor) is looked up on the segment's own platform; where it has gone meanwhile, the rule finds nobody.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal, get_args

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.lookups import Exact
from django.utils import timezone
from django_countries import countries

from customers import consents
from customers.keys import name_key
from customers.models import EMAIL_DOMAIN, Address, Customer, CustomerVendor, Tag
from customers.values import ConsentOf, Day, Days, Domain, Kind, NameStart, Text, Words, start_of
from platforms.models import Platform, Vendor
from platforms.validators import MOST_ECHOED, validate_locale

MAX_RULES = 20
NOBODY = Q(pk__in=[])

Rule = Mapping[str, Any]
Names = Literal["tags", "vendors"]


@dataclass(frozen=True, slots=True)
class Known:
    """What a rule's condition is made with: the platform, the time, and the ids of the tags and vendors it names."""

    platform: Platform
    now: datetime = field(default_factory=timezone.now)
    tags: Mapping[str, Any] = field(default_factory=dict)
    vendors: Mapping[str, Any] = field(default_factory=dict)

    def gone(self, operator: "Operator", value: Any) -> list[str]:
        """Return the names in the value that are of no row of the platform."""
        if operator.names == "tags":
            return [name for name in value if name_key(name) not in self.tags]
        return [code for code in value if code not in self.vendors] if operator.names == "vendors" else []


@dataclass(frozen=True, slots=True)
class Operator:
    """What may be asked of a field: in words, as a condition, with what kind of value, and whose names that holds."""

    label: str
    find: Callable[[Any, Known], Q]
    kind: Kind | None = None
    names: Names | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """Something that is known of a customer, and what may be asked of it."""

    label: str
    operators: Mapping[str, Operator]


def _hangs(rows: QuerySet[Any]) -> Q:
    return Q(Exists(rows.filter(customer=OuterRef("pk"))))


def _is_named(key: str) -> Q:
    return Q(name_key__begins_with=key) | Q(last_name_key__begins_with=key)


def _speaks(locales: Sequence[str]) -> Q:
    """A language stands for its regions, too: `de` for `de-AT`."""
    found = Q(locale__in=locales)
    for locale in locales:
        found |= Q(locale__begins_with=f"{locale}-")
    return found


def _carries(names: Sequence[str], known: Known) -> Q:
    tags = [known.tags[name_key(name)] for name in names]
    return _hangs(Customer.tags.through._default_manager.filter(tag__in=tags))


def _bought(codes: Sequence[str], known: Known) -> Q:
    return _hangs(CustomerVendor.objects.filter(vendor__in=[known.vendors[code] for code in codes]))


def _lives(known: Known, **where: Any) -> Q:
    return _hangs(Address.objects.filter(platform=known.platform, **where))


def _agreed(value: Mapping[str, str], known: Known) -> Q:
    return consents.who_gave(platform=known.platform, **value)


_STATUSES = {status.value: str(status.label) for status in (Customer.Status.ACTIVE, Customer.Status.BLOCKED)}
_TAGS, _VENDORS, _CITIES = Words(key=name_key), Words(), Words()
# Each is a condition of its own, and SQLite takes no thousand of them.
_LOCALES = Words(check=validate_locale, most=20)
_COUNTRIES = Words(choices={code: str(name) for code, name in countries})

FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "status": Field(
            "Status", {"is": Operator("is", lambda value, known: Q(status__in=value), Words(choices=_STATUSES))}
        ),
        "email": Field(
            "E-mail",
            {
                "is_set": Operator("is known", lambda value, known: ~Q(email_key="")),
                "is_not_set": Operator("is not known", lambda value, known: Q(email_key="")),
                "ends_with": Operator(
                    "is at the domain", lambda value, known: Q(Exact(EMAIL_DOMAIN, f"@{value}")), Domain()
                ),
            },
        ),
        "phone": Field(
            "Phone",
            {
                # As every number does; an index tells.
                "is_set": Operator("is known", lambda value, known: Q(phone__begins_with="+")),
                "is_not_set": Operator("is not known", lambda value, known: Q(phone="")),
            },
        ),
        "name": Field(
            "First or last name",
            {"starts_with": Operator("starts with", lambda value, known: _is_named(name_key(value)), NameStart())},
        ),
        "locale": Field("Language", {"is": Operator("is one of", lambda value, known: _speaks(value), _LOCALES)}),
        "reference": Field(
            "Reference",
            {
                "is_set": Operator("is known", lambda value, known: ~Q(external_ref="")),
                "is_not_set": Operator("is not known", lambda value, known: Q(external_ref="")),
                "starts_with": Operator("starts with", lambda value, known: Q(external_ref__begins_with=value), Text()),
            },
        ),
        "tag": Field(
            "Tag",
            {
                "has": Operator("is one of", _carries, _TAGS, "tags"),
                "has_not": Operator("is none of", lambda value, known: ~_carries(value, known), _TAGS, "tags"),
            },
        ),
        "vendor": Field(
            "Vendor",
            {
                "bought_from": Operator("bought from one of", _bought, _VENDORS, "vendors"),
                "not_bought_from": Operator(
                    "bought from none of", lambda value, known: ~_bought(value, known), _VENDORS, "vendors"
                ),
            },
        ),
        "country": Field(
            "Country",
            {"is": Operator("is one of", lambda value, known: _lives(known, country__in=value), _COUNTRIES)},
        ),
        "city": Field(
            "City", {"is": Operator("is one of", lambda value, known: _lives(known, city__in=value), _CITIES)}
        ),
        "created": Field(
            "Customer since",
            {
                "before": Operator("before", lambda value, known: Q(created_at__lt=start_of(value)), Day()),
                "after": Operator("on or after", lambda value, known: Q(created_at__gte=start_of(value)), Day()),
                "within": Operator(
                    "within the last",
                    lambda value, known: Q(created_at__gte=known.now - timedelta(days=value)),
                    Days(),
                ),
            },
        ),
        "consent": Field(
            "Consent",
            {
                "given": Operator("given to", _agreed, ConsentOf()),
                "not_given": Operator("not given to", lambda value, known: ~_agreed(value, known), ConsentOf()),
            },
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Told:
    """A rule in words. `gone` are the names in it that nothing on the platform has any more."""

    text: str
    gone: Sequence[str] = ()
    is_readable: bool = True

    @property
    def finds_nobody(self) -> bool:
        """Whether it asks for what is not there."""
        return bool(self.gone) or not self.is_readable


def operator_of(rule: Rule) -> Operator:
    """Return what a rule asks. Raises LookupError for a field or an operator that is not in the table."""
    return FIELDS[rule["field"]].operators[rule["operator"]]


def names_in(rule: Rule, names: Names) -> list[str]:
    """Return the tags, or the vendors, that a kept rule names: none where it is of a table that is not this one."""
    try:
        operator = operator_of(rule)
    except LookupError:
        return []
    return list(rule["value"]) if operator.names == names else []


def validate_rules(rules: object, platform: Platform, kept: Sequence[Rule] = ()) -> list[dict[str, Any]]:
    """Return rules in their one form. What they name is there on the platform, unless in rules that were kept before.

    Raises ValidationError, a dict by place: `rules` with the codes `required` (without any it would be everybody, by
    mistake), `max_length` and `invalid`; `rules.0.field` and the like with `unknown_field`, `unknown_operator` and
    `invalid_value`.
    """
    if not isinstance(rules, list):
        raise _error("rules", "Send a list of rules.", "invalid")
    if not rules:
        raise _error("rules", "Name at least one rule.", "required")
    if len(rules) > MAX_RULES:
        raise _error("rules", f"A segment has at most {MAX_RULES} rules.", "max_length")
    errors: dict[str, list[ValidationError]] = {}
    read: dict[int, dict[str, Any]] = {}
    for place, rule in enumerate(rules):
        try:
            read[place] = _read(rule, f"rules.{place}")
        except ValidationError as error:
            errors |= error.error_dict
    new = {place: rule for place, rule in read.items() if rule not in kept}
    known = known_on(platform, list(new.values()))
    for place, rule in new.items():
        if missing := known.gone(operator_of(rule), rule.get("value")):
            message = f"{platform} has no “{missing[0][:MOST_ECHOED]}”."
            errors |= _error(f"rules.{place}.value", message, "invalid_value").error_dict
    if errors:
        raise ValidationError(errors)
    return [read[place] for place in range(len(rules))]


def known_on(platform: Platform, rules: Sequence[Rule]) -> Known:
    """Return what these rules' conditions are made with. A query for tags and one for vendors, if there are any."""
    named = {names: {name for rule in rules for name in names_in(rule, names)} for names in get_args(Names)}
    tags = Tag.objects.filter(platform=platform, key__in=[name_key(name) for name in named["tags"]])
    vendors = Vendor.objects.filter(platform=platform, code__in=named["vendors"])
    return Known(
        platform,
        tags=dict(tags.order_by().values_list("key", "pk")) if named["tags"] else {},
        vendors=dict(vendors.order_by().values_list("code", "pk")) if named["vendors"] else {},
    )


def condition_of(rule: Rule, known: Known) -> Q:
    """Return whom a kept rule finds: nobody, where it names what has gone, or is of a table that is not this one."""
    try:
        operator, [value] = operator_of(rule), [rule.get("value")]
    except LookupError:
        return NOBODY
    return NOBODY if known.gone(operator, value) else operator.find(value, known)


def tell(rule: Rule, known: Known) -> Told:
    """Return a kept rule in words."""
    try:
        operator = operator_of(rule)
    except LookupError:
        return Told(f"{rule['field']} {rule['operator']}", is_readable=False)
    value = rule.get("value")
    words = [FIELDS[rule["field"]].label, operator.label, *([operator.kind.show(value)] if operator.kind else [])]
    return Told(" ".join(words), known.gone(operator, value))


def _error(place: str, message: str, code: str) -> ValidationError:
    return ValidationError({place: ValidationError(message, code=code)})


def _read(rule: object, place: str) -> dict[str, Any]:
    """Return one rule in its one form. Raises ValidationError, as a dict."""
    if not isinstance(rule, dict):
        raise _error(place, "A rule is an object with field, operator and value.", "invalid")
    for key in rule:
        if key not in ("field", "operator", "value"):
            raise _error(f"{place}.{key[:MOST_ECHOED]}", "A rule has field, operator and value.", "unknown_field")
    name, code, value = rule.get("field"), rule.get("operator"), rule.get("value")
    if not isinstance(name, str) or name not in FIELDS:
        raise _error(f"{place}.field", f"The fields are {', '.join(FIELDS)}.", "unknown_field")
    operators = FIELDS[name].operators
    if not isinstance(code, str) or code not in operators:
        raise _error(f"{place}.operator", f"The operators of {name} are {', '.join(operators)}.", "unknown_operator")
    kind = operators[code].kind
    if kind is None:
        if value is not None:
            raise _error(f"{place}.value", "This operator takes no value.", "invalid_value")
        return {"field": name, "operator": code}
    try:
        return {"field": name, "operator": code, "value": kind.read(value)}
    except ValidationError as error:
        raise ValidationError({f"{place}.value": error}) from None
