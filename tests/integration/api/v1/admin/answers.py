"""How tests read what module-config answers."""

ALL = "/api/v1/admin/module-config/"
ONE = f"{ALL}kestrel/"
BILLING = f"{ONE}billing/"
KEY = "sk_test_12345678"


def errors(response, status):
    """Return attr and code of each error of a refusal with this status."""
    assert response.status_code == status, response.content
    return [(error["attr"], error["code"]) for error in response.json()["errors"]]


def answer(response):
    """Return the body of a write to kestrel that was done, once what holds for all of them was checked."""
    assert response.status_code == 200, response.content
    body = response.json()
    assert set(body) == {"platform", "revision", "change", "dry_run", "digest", "steps"}
    assert (body["platform"], response["ETag"]) == ("kestrel", f'"{body["revision"]}"')
    return body


def steps(body):
    """Return what was done to which module, and why."""
    return [(step["action"], step["module"], step["cause"]) for step in body["steps"]]


def isoformat(moment):
    """Return the time as the API writes it."""
    return moment.isoformat().replace("+00:00", "Z")


def configure(client, config, method="patch", path=BILLING, **body):
    """Write a config in view of whatever is there."""
    return getattr(client, method)(path, {"config": config, **body}, headers={"If-Match": "*"})
