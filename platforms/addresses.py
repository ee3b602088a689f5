"""Where a request comes from, as far as it can be believed."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

# What one customer of a network operator gets: whoever has one IPv6 address has all of these.
_IPV6_PREFIX = 64


def client_address(request: HttpRequest) -> str:
    """Return the client's address; empty where the server knows none, as behind a Unix socket.

    It is the connection's own, whatever `X-Forwarded-For` says: anybody can send that. Behind `TRUSTED_PROXIES` proxies
    of ours it is what the outermost of them has seen: as many entries from the right, as each appends one.
    """
    proxies: int = settings.TRUSTED_PROXIES
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if proxies else []
    if len(forwarded) >= proxies > 0 and (address := _parsed(forwarded[-proxies])):
        return str(address)
    return str(_parsed(request.META.get("REMOTE_ADDR", "")) or "")


def client_network(request: HttpRequest) -> str:
    """Return what is counted as one client: an IPv4 address, or the /64 network of an IPv6 address."""
    address = client_address(request)
    return str(ip_network(f"{address}/{_IPV6_PREFIX}", strict=False)) if ":" in address else address


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        # An IPv4 client of a socket that takes both; a zone is the server's business.
        return address.ipv4_mapped or IPv6Address(int(address))
    return address
