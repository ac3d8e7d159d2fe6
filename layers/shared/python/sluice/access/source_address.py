"""IP_WHITELIST and IP_BLACKLIST: which addresses may use the gateway."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from sluice.errors import AddressNotAllowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluice.settings import Settings


def check_address(source_ip: str, settings: Settings) -> None:
    """Raises AddressNotAllowed. source_ip: as AWS saw it; headers may say anything."""
    allowed, denied = settings.ip_whitelist, settings.ip_blacklist
    try:
        address = ip_address(source_ip)
    except ValueError:
        raise AddressNotAllowed("Your address is unknown, so it is not allowed.") from None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    forms = (address, mapped) if mapped else (address,)  # ::ffff:192.0.2.7 is 192.0.2.7
    if any(form in network for network in denied for form in forms):
        raise AddressNotAllowed("Your address is in IP_BLACKLIST.")
    if allowed and not any(form in network for network in allowed for form in forms):
        raise AddressNotAllowed("Your address is not in IP_WHITELIST.")
