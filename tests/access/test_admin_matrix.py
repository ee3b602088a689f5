"""Every page of the admin × everybody × where. The pages come from the resolver: one that is in no table fails."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from modules.registry import registry
from tests.access import world as worlds
from tests.access.routes import Route, admin_routes
from tests.access.world import Place, World

pytestmark = pytest.mark.django_db

STAFF = {"superuser", "admin"}
READERS = {*STAFF, "viewer"}
OPERATOR = {"superuser"}
NOBODY: set[str] = set()
# Who can have a session at all; the tokens of the API open no page.
EVERYBODY = ("anonymous", "superuser", "admin", "viewer", "vendor", "stranger", "foreign admin", "disabled admin")
LOGGED_OUT = {"anonymous", "disabled admin"}
SITUATIONS = ("own", "foreign", "off")

# Pages of nobody's rows: every member of staff has them.
GENERAL = {
    "admin:index",
    "admin:login",
    "admin:logout",
    "admin:password_change",
    "admin:password_change_done",
    "admin:jsi18n",
    "admin:autocomplete",
    "admin:view_on_site",
    "admin:app_list",
}
# Of everybody who is not in yet.
ENTRANCE = {"account_login", "mfa_authenticate", "mfa_login_webauthn"}
# A person's own factors: of whoever is logged in, and about nobody else.
SECURITY = {
    "mfa_index",
    "account_reauthenticate",
    "mfa_reauthenticate",
    "mfa_reauthenticate_webauthn",
    "mfa_activate_totp",
    "mfa_deactivate_totp",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_add_webauthn",
    "mfa_edit_webauthn",
    "mfa_remove_webauthn",
}
# Addresses without a name: Django's catch-all, and old addresses that lead to the page of a row.
UNNAMED = {"admin/(?P{url}.*)$"}


@dataclass(frozen=True)
class Pages:
    """Who sees a model's rows on their own platform, and who adds, changes and deletes them."""

    view: set[str]
    add: set[str]
    change: set[str]
    delete: set[str]


MODELS = {
    "platforms.user": Pages(OPERATOR, OPERATOR, OPERATOR, OPERATOR),
    "platforms.platform": Pages(READERS, OPERATOR, STAFF, OPERATOR),
    "platforms.vendor": Pages(READERS, STAFF, STAFF, STAFF),
    "platforms.membership": Pages(STAFF, STAFF, STAFF, STAFF),
    "platforms.apitoken": Pages(STAFF, STAFF, NOBODY, STAFF),
    "modules.module": Pages(READERS, NOBODY, NOBODY, NOBODY),
    "modules.change": Pages(READERS, NOBODY, NOBODY, NOBODY),
    "modules.event": Pages(OPERATOR, NOBODY, NOBODY, NOBODY),
    "modules.delivery": Pages(OPERATOR, NOBODY, NOBODY, NOBODY),
    "modules.taskrun": Pages(OPERATOR, NOBODY, NOBODY, NOBODY),
    "modules.platformmodule": Pages(READERS, NOBODY, NOBODY, NOBODY),
    "customers.customer": Pages(READERS, STAFF, STAFF, NOBODY),
    "customers.duplicatepair": Pages(READERS, NOBODY, NOBODY, NOBODY),
    "customers.merge": Pages(READERS, NOBODY, NOBODY, NOBODY),
    "customers.privacyrequest": Pages(READERS, STAFF, STAFF, NOBODY),
    "customers.importrun": Pages(STAFF, STAFF, NOBODY, NOBODY),
}
# What is never edited here has no log of edits either.
READ_ONLY = {
    *("modules.module", "modules.change", "modules.event", "modules.delivery", "modules.taskrun"),
    *("customers.duplicatepair", "customers.importrun", "customers.merge"),
}
# A module's pages, unless it stands above.
OF_A_MODULE = Pages(READERS, STAFF, STAFF, STAFF)
# Pages of ours beside Django's five, about a platform and a module: who sees them on their own platform.
SPECIAL = {
    "modules_platformmodule_configure": READERS,
    "modules_platformmodule_history": READERS,
    "modules_platformmodule_switch_on": STAFF,
    "modules_platformmodule_switch_off": STAFF,
    "modules_platformmodule_reset": STAFF,
    "modules_platformmodule_confirm": READERS,  # leads to the module's page, if it is not posted to
    "modules_platformmodule_bulk": NOBODY,  # only ever posted to
    "modules_change_timeline": READERS,
    "modules_change_moment": READERS,
    "modules_change_compare": READERS,
    "modules_change_back": STAFF,
    "customers_customer_merge": READERS,  # leads to the list of customers, if it does not say whom to keep
    "auth_user_password_change": OPERATOR,
    "platforms_user_reset_second_factor": OPERATOR,
}


# Pages of ours about one row, as Django's five are: each is for those who may change it.
PAGES_OF_A_ROW = ("consent",)


def model_of(route: Route) -> tuple[Any, str] | None:
    """Return whose page it is and which: (model, changelist | add | change | delete | history, or one of ours)."""
    for model in admin.site._registry:
        kind = route.name.removeprefix(f"admin:{model._meta.app_label}_{model._meta.model_name}_")
        if kind in ("changelist", "add", "change", "delete", "history", *PAGES_OF_A_ROW):
            return model, kind
    return None


def rules_of(model: Any) -> Pages:
    label = model._meta.label_lower
    return (
        MODELS[label] if label in MODELS else {registry[model._meta.app_label].code: OF_A_MODULE}[model._meta.app_label]
    )


def row_of(world: World, place: Place, model: Any) -> Any:
    """Return the key of a row of this place."""
    special = {
        "platforms.user": world.people["admin"].pk,
        "platforms.platform": place.platform.pk,
        "platforms.vendor": place.vendor.pk,
        "modules.module": "cms",
    }
    if (label := model._meta.label_lower) in special:
        return special[label]
    if model in place.rows:
        return place.rows[model].pk
    path = {"modules.delivery": "event__platform"}.get(model._meta.label_lower, "platform")
    return model._base_manager.filter(**{path: place.platform}).latest("pk").pk


def visited(world: World, route: Route, situation: str) -> tuple[str, set[str]] | None:
    """Return the address of a page and who sees it at home; None for pages of nobody's rows."""
    place = world.foreign if situation == "foreign" else world.own
    short = route.name.removeprefix("admin:")
    if short in SPECIAL and ("object_id" not in route.words or short.startswith("platforms_user")):
        words = {"platform": place.platform.code, "module": "analytics", "number": 1}
        words |= dict.fromkeys(("id", "object_id"), world.people["admin"].pk)
        return route.address(words), SPECIAL[short]
    found = model_of(route)
    if found is None:
        return None
    model, kind = found
    rules, label = rules_of(model), model._meta.label_lower
    words = {} if kind in ("changelist", "add") else {"object_id": row_of(world, place, model)}
    seen = {"changelist": rules.view, "history": rules.view, "change": rules.view, "add": rules.add}.get(
        kind, rules.change if kind in PAGES_OF_A_ROW else rules.delete
    )
    if kind == "history" and label in READ_ONLY:
        seen = NOBODY
    return route.address(words), seen


def is_let_in(world: World, route: Route, seen: set[str], who: str, situation: str) -> bool:
    """Whether this person sees the page."""
    found = model_of(route)
    if who == "foreign admin":
        # At home on the foreign platform, as the admin is on theirs; lists and blank forms they have everywhere.
        at_home = (
            situation == "foreign"
            or not set(route.words) - {"module"}
            or (found and found[0]._meta.label_lower == "modules.module")
        )
        return bool(at_home) and "admin" in seen
    if who not in seen:
        return False
    if who != "superuser" and situation == "foreign" and set(route.words) & {"platform", "object_id"}:
        return found is not None and found[0]._meta.label_lower == "modules.module"
    app = found[0]._meta.app_label if found else route.name.removeprefix("admin:").partition("_")[0]
    if situation == "off" and app in registry:
        # Superusers see other platforms, on which it is on; of this one they see nothing.
        return who == "superuser" and "object_id" not in route.words
    return True


def test_matrix__every_page__is_in_it(world: World) -> None:
    for route in admin_routes():
        is_known = (
            route.name in GENERAL | ENTRANCE | SECURITY
            or route.template in UNNAMED
            or route.name.removeprefix("admin:") in SPECIAL
            or model_of(route) is not None
            # Old addresses of a row's page, and numbers that lead to the page of a platform's module.
            or (route.name == "admin:None" and route.template.endswith("{object_id}/"))
            or (route.name == "admin:None" and route.template.startswith("admin/modules/platformmodule/{object_id}/"))
        )
        assert is_known, f"{route.name} ({route.template}) is in no table: say who sees it."
    for model in admin.site._registry:
        assert rules_of(model)


def test_security__nobody_logged_in__led_to_the_login(db: None) -> None:
    for route in admin_routes():
        if route.name in SECURITY:
            answer = Client().get(route.address({"pk": 1}))
            assert answer.status_code == 302
            assert answer["Location"].startswith(reverse("admin:login")), route.name


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("who", EVERYBODY)
def test_matrix__everybody_everywhere__sees_what_it_says(who: str, situation: str, world: World) -> None:
    if situation == "off":
        worlds.switch_everything_off(world.own.platform)
    client, plain = world.client(who), Client()
    plain.cookies = client.cookies
    wrong, asked = [], ""
    for route in admin_routes():
        if (found := visited(world, route, situation)) is None:
            continue
        address, seen = found
        before = worlds.everything()
        answer = plain.get(address)
        shown = answer.content.decode() if answer.status_code != 302 else ""
        let_in = who not in LOGGED_OUT and is_let_in(world, route, seen, who, situation)
        status, location = answer.status_code, answer.get("Location", "")
        if who in LOGGED_OUT:
            is_right = location.startswith(reverse("admin:login"))
        elif let_in:
            is_right = status in (200, 302) and location != reverse("admin:index")
        else:
            # Django leads whoever may see other rows of this kind away from one that is not there for them.
            is_right = status in (403, 404, 405) or location == reverse("admin:index")
        if not is_right:
            wrong.append(f"{address}: {status} {location}, let in: {let_in}")
        if who not in ("superuser", "foreign admin"):
            # What somebody asked for is repeated to them: "There is no invoice with this ID".
            asked += address
            wrong += [f"{address} shows {mark}" for mark in world.foreign.marks if mark in shown and mark not in asked]
        if not let_in:
            posted = plain.post(address, {"post": "yes"})
            if posted.status_code not in (302, 400, 403, 404, 405) and not (posted.status_code == 200 and who in seen):
                wrong.append(f"post {address}: {posted.status_code}")
        assert worlds.everything() == before, address
    assert wrong == []
