"""Rows for tests: each factory makes one that is valid, with what it needs around it."""

from datetime import timedelta
from typing import Any

import factory
from factory.django import DjangoModelFactory

from platforms.models import ApiToken, Membership, Platform, User, Vendor


class UserFactory(DjangoModelFactory):
    """Somebody without any right. `password` is hashed; there is none unless it is named."""

    username = factory.Sequence(lambda n: f"user-{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")

    class Meta:
        model = User

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(*args, **kwargs)


class PlatformFactory(DjangoModelFactory):
    """A loyalty programme in euros."""

    code = factory.Sequence(lambda n: f"platform-{n}")
    name = factory.LazyAttribute(lambda platform: platform.code.replace("-", " ").title())
    kind = Platform.Kind.LOYALTY
    currency = "EUR"
    locales = factory.LazyFunction(lambda: ["en"])

    class Meta:
        model = Platform


class VendorFactory(DjangoModelFactory):
    """A vendor of a platform of its own."""

    platform = factory.SubFactory(PlatformFactory)
    code = factory.Sequence(lambda n: f"vendor-{n}")
    name = factory.LazyAttribute(lambda vendor: vendor.code.replace("-", " ").title())

    class Meta:
        model = Vendor


class MembershipFactory(DjangoModelFactory):
    """A new user who is the admin of a new platform; with a `vendor`, who is that vendor."""

    user = factory.SubFactory(UserFactory)
    vendor = None
    platform = factory.Maybe(
        "vendor",
        yes_declaration=factory.SelfAttribute("vendor.platform"),
        no_declaration=factory.SubFactory(PlatformFactory),
    )
    role = factory.LazyAttribute(lambda row: Membership.Role.VENDOR if row.vendor else Membership.Role.ADMIN)

    class Meta:
        model = Membership


class ApiTokenFactory(DjangoModelFactory):
    """A read token of a platform's admin. Its plain text is in `secret`, as long as the test holds the instance."""

    platform = factory.SubFactory(PlatformFactory)
    user = factory.LazyAttribute(lambda token: MembershipFactory(platform=token.platform).user)
    name = factory.Sequence(lambda n: f"script {n}")
    scopes = factory.LazyFunction(lambda: ["read"])
    expiry = timedelta(days=90)

    class Meta:
        model = ApiToken

    @classmethod
    def _create(cls, model_class: type[ApiToken], *args: Any, **kwargs: Any) -> ApiToken:
        token, secret = model_class.objects.create(*args, **kwargs)
        token.secret = secret
        return token
