"""`platforms.addresses`: nobody says for themselves where they come from."""

import pytest

from platforms.addresses import client_address, client_network


def address(rf, remote, forwarded=None):
    headers = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return client_address(rf.get("/", REMOTE_ADDR=remote, **headers))


@pytest.mark.parametrize("forwarded", [None, "", "203.0.113.9", "203.0.113.9, 198.51.100.4", "\x00", "x" * 10_000])
def test_address__no_proxy__is_that_of_the_connection(rf, settings, forwarded):
    settings.TRUSTED_PROXIES = 0
    assert address(rf, "198.51.100.7", forwarded) == "198.51.100.7"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.99, 203.0.113.9", "203.0.113.9"),
        (1, "127.0.0.1,203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.99, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (1, "2001:db8::1", "2001:db8::1"),
        # What no proxy of ours wrote: the proxy itself is all that is known.
        (1, None, "10.0.0.1"),
        (1, "", "10.0.0.1"),
        (2, "203.0.113.9", "10.0.0.1"),
        (1, "203.0.113.9, unknown", "10.0.0.1"),
        (1, "203.0.113.9, ", "10.0.0.1"),
        (1, "203.0.113.999", "10.0.0.1"),
    ],
)
def test_address__behind_proxies__is_what_the_outermost_saw(rf, settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    assert address(rf, "10.0.0.1", forwarded) == expected


@pytest.mark.parametrize(
    ("remote", "expected", "network"),
    [
        ("198.51.100.7", "198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7", "198.51.100.7"),
        ("2001:DB8:0:0:5::1", "2001:db8::5:0:0:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        ("", "", ""),
        ("unix:", "", ""),
    ],
)
def test_network__of_an_address__is_one_client(rf, settings, remote, expected, network):
    settings.TRUSTED_PROXIES = 0
    assert address(rf, remote) == expected
    assert client_network(rf.get("/", REMOTE_ADDR=remote)) == network
