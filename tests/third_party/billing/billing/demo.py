"""Billing's part of the demo story: plans, and three months of invoices for every vendor, not all of them paid."""

from datetime import timedelta
from decimal import Decimal

from billing.models import Invoice, Payment, Plan
from modules import gate
from platforms.demo import Story

PLANS = (("stall", "Stall", "19.00"), ("shop", "Shop", "49.00"), ("house", "House", "129.00"))
MONTHS = 3


def load(story: Story) -> None:
    """Bill the vendors of every platform that has billing on and was never billed."""
    billed = Plan.objects.values("platform")
    for platform in gate.platforms_with("billing").exclude(pk__in=billed).order_by("pk"):
        plans = [
            Plan.objects.create(
                platform=platform, code=code, name=name, price=Decimal(price), is_public=code != "house"
            )
            for code, name, price in PLANS
        ]
        number = 0
        for vendor, plan in zip(platform.vendors.order_by("pk"), [*plans, *reversed(plans)], strict=False):
            for month in range(MONTHS):
                number += 1
                is_paid = month < MONTHS - 1
                invoice = Invoice.objects.create(
                    platform=platform,
                    vendor=vendor,
                    plan=plan,
                    number=f"2026-{number:04}",
                    amount=plan.price,
                    currency=platform.currency,
                    status=Invoice.Status.PAID if is_paid else Invoice.Status.OPEN,
                    issued_on=(story.start + timedelta(days=30 * (month - MONTHS + 1))).date(),
                )
                if is_paid:
                    received = invoice.issued_on + timedelta(days=9)
                    Payment.objects.create(invoice=invoice, amount=plan.price, received_on=received)
