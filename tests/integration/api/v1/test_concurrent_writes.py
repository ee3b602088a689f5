"""Two clients at once, each in a transaction of its own: nobody overwrites what they have not seen."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from platforms.models import Platform, Vendor


def at_once(count, write):
    """Call `write(n)` in `count` threads that start together; return the sorted status codes."""
    start = Barrier(count)

    def run(number):
        start.wait()
        try:
            return write(number).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return sorted(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_patch__four_with_the_same_tag__one_wins(kestrel, token_of, client_of):
    token = token_of("admin")
    path = "/api/v1/admin/platforms/kestrel/"
    tag = client_of(token).get(path)["ETag"]
    statuses = at_once(4, lambda n: client_of(token).patch(path, {"name": f"Name {n}"}, headers={"If-Match": tag}))
    assert statuses == [200, 412, 412, 412]
    assert Platform.objects.get().name.startswith("Name ")


@pytest.mark.django_db(transaction=True)
def test_post__four_of_the_same_code__one_is_made(kestrel, token_of, client_of):
    token = token_of("admin")
    path = "/api/v1/admin/platforms/kestrel/vendors/"
    statuses = at_once(4, lambda n: client_of(token).post(path, {"code": "fern", "name": f"Fern {n}"}))
    # Who sees the row gets 400 (unique); who collides with one not committed yet, 409.
    assert statuses[0] == 201
    assert set(statuses[1:]) <= {400, 409}
    assert Vendor.objects.count() == 1
