"""What customers agreed to: a ledger to which lines are added, and never a box that is ticked or not.

Where `double_opt_in` is on, a consent to e-mail counts once it was confirmed from the mailbox: a link that only its
owner can have seen. Other channels have no mailbox to be confirmed from, and count at once.

A new e-mail address voids links that were sent to the old one. A consent that was confirmed already stays: it was given
by the person, who told their new address themselves or had it told, and not by the mailbox.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.core import signing
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone
from django.utils.crypto import salted_hmac

from customers.definition import CustomersConfig
from customers.models import ConsentInForce, ConsentRecord, Customer, CustomerEvent
from customers.services import lock_open
from customers.timeline import record, tell
from modules import gate, ports
from modules.ports import Recipient
from platforms.access import Actor
from platforms.models import Platform

CHANGED = "customers.consent_changed"
CONFIRM_TOPIC = "customers.confirm_consent"
# For how long a link in a mail can be used.
CONFIRM_WITHIN = timedelta(days=14)
_BATCH = 500
_SALT = "customers.consents.confirm"

Action = ConsentRecord.Action


def newest(records: Iterable[ConsentRecord]) -> list[ConsentRecord]:
    """Return the line that says how each channel and purpose stands, of one customer's lines in any order."""
    found: dict[tuple[str, str], ConsentRecord] = {}
    for line in sorted(records, key=lambda line: line.at):
        found[line.channel, line.purpose] = line
    return [found[key] for key in sorted(found)]


def standing(customer: Customer) -> list[ConsentRecord]:
    """Return the `newest` lines of a customer, however long their ledger is: one query, which brings no other along."""
    newest_first = Window(RowNumber(), partition_by=[F("channel"), F("purpose")], order_by=F("at").desc())
    lines = ConsentRecord.objects.filter(customer=customer).annotate(place=newest_first)
    return list(lines.filter(place=1).order_by("channel", "purpose"))


def is_given(*, customer: Customer, channel: str, purpose: str) -> bool:
    """Whether the customer agreed to be written to on this channel for this purpose, and still does. One query."""
    return ConsentInForce.objects.filter(customer=customer, channel=channel, purpose=purpose).exists()


def who_gave(*, platform: Platform, channel: str, purpose: str) -> Q:
    """Return the condition on customers that `is_given` holds for them."""
    in_force = ConsentInForce.objects.filter(platform=platform, channel=channel, purpose=purpose)
    return Q(Exists(in_force.filter(customer=OuterRef("pk"))))


def put_in_force(lines: Sequence[ConsentRecord]) -> None:
    """Write down that these lines are in force: each counts, and is the newest of its customer, channel and purpose."""
    ConsentInForce.objects.bulk_create(
        [
            ConsentInForce(
                platform_id=line.platform_id, customer_id=line.customer_id, channel=line.channel, purpose=line.purpose
            )
            for line in lines
        ],
        batch_size=_BATCH,
        ignore_conflicts=True,
    )


def has_to_be_confirmed(platform: Platform, channel: str) -> bool:
    """Whether a consent to this channel counts only once it was confirmed from the mailbox."""
    return channel == ConsentRecord.Channel.EMAIL and gate.config_of(platform, CustomersConfig).double_opt_in


@transaction.atomic
def give(
    *, customer: Customer, channel: str, purpose: str, source: str, document_version: str = "", by: Actor | None = None
) -> ConsentRecord:
    """Write down that the customer agreed; where it has to be confirmed, have the mail sent that asks for it.

    Who agreed already, and says so again, has nothing to confirm.

    source: where they said so, e.g. `checkout`. Raises Conflict for a customer who is closed, ValidationError, also
    where it has to be confirmed and there is no mailbox.
    """
    locked = lock_open(customer)
    is_new = not is_given(customer=locked, channel=channel, purpose=purpose)
    needs_confirmation = is_new and has_to_be_confirmed(locked.platform, channel)
    if needs_confirmation and not locked.email:
        message = "This customer has no e-mail address from which it could be confirmed."
        raise ValidationError({"channel": ValidationError(message, code="no_email")})
    line = add_line(locked, channel, purpose, Action.GIVEN, source, document_version, by, needs_confirmation)
    if needs_confirmation:
        ports.notify(
            locked.platform,
            CONFIRM_TOPIC,
            [Recipient(address=locked.email, person=str(locked.pk), locale=locked.locale)],
            {"token": confirmation_token(line, locked), "channel": channel, "purpose": purpose},
            f"consent {line.pk}",
        )
    return line


@transaction.atomic
def withdraw(
    *, customer: Customer, channel: str, purpose: str, source: str, document_version: str = "", by: Actor | None = None
) -> ConsentRecord:
    """Write down that the customer does not agree, any more or at all. Raises as `give` does."""
    return add_line(lock_open(customer), channel, purpose, Action.WITHDRAWN, source, document_version, by)


def confirmation_token(line: ConsentRecord, customer: Customer) -> str:
    """Return what the mail's link carries: it names the line, and the mailbox that it was sent to."""
    return signing.dumps([line.pk.hex, _mailbox(customer)], salt=_SALT)


@transaction.atomic
def confirm(*, platform: Platform, token: str) -> ConsentRecord:
    """Confirm a consent from the mailbox; return the line that says so, the newest one if it counts already.

    Raises ValidationError with the code `invalid_token` for a token that is not ours or of another platform, too old,
    sent to an address that is not the customer's any more, or of a consent that was given anew or withdrawn since.
    """
    refusal = ValidationError({"token": ValidationError("This link does not count any more.", code="invalid_token")})
    try:
        key, mailbox = signing.loads(token, salt=_SALT, max_age=CONFIRM_WITHIN)
        given = ConsentRecord.objects.get(pk=key, platform=platform)
        customer = lock_open(Customer(pk=given.customer_id))
    except (signing.BadSignature, ConsentRecord.DoesNotExist, Customer.DoesNotExist):
        raise refusal from None
    line = _newest_line(customer, given.channel, given.purpose)
    if mailbox != _mailbox(customer) or line is None:
        raise refusal
    if line.counts:
        return line
    if line.pk != given.pk:
        raise refusal
    return add_line(customer, given.channel, given.purpose, Action.CONFIRMED, "mailbox", given.document_version, None)


def add_line(
    customer: Customer,
    channel: str,
    purpose: str,
    action: ConsentRecord.Action,
    source: str,
    document_version: str,
    by: Actor | None,
    needs_confirmation: bool = False,
) -> ConsentRecord:
    """Add a line as it is, later than any before it whatever the clock says. The caller holds the customer's lock.

    For what nobody says just now, as when two customers become one; whoever says something does so by `give` and
    `withdraw`. Raises ValidationError.
    """
    before = _newest_line(customer, channel, purpose)
    now = timezone.now()
    line = ConsentRecord(
        platform_id=customer.platform_id,
        customer=customer,
        channel=channel,
        purpose=purpose,
        action=action,
        needs_confirmation=needs_confirmation,
        source=source,
        document_version=document_version,
        actor_label=by.label if by is not None else "",
        at=now if before is None else max(now, before.at + timedelta(microseconds=1)),
    )
    line.full_clean()
    line.save(force_insert=True)
    if line.counts:
        put_in_force([line])
    else:
        ConsentInForce.objects.filter(customer=customer, channel=channel, purpose=purpose).delete()
    data = {"channel": channel, "purpose": purpose, "action": str(action)}
    record(customer, CustomerEvent.Kind.CONSENT, by, **data)
    tell(CHANGED, customer, by, {**data, "counts": line.counts})
    return line


def _newest_line(customer: Customer, channel: str, purpose: str) -> ConsentRecord | None:
    lines = ConsentRecord.objects.filter(customer=customer, channel=channel, purpose=purpose)
    return lines.order_by("-at").first()


def _mailbox(customer: Customer) -> str:
    return salted_hmac(_SALT, customer.email_key, algorithm="sha256").hexdigest()[:32]
