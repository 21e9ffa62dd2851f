"""Where a call may go: what kind of place an address is, and which kinds the calls of a destination may reach (I25).

A name tells nothing: it leads wherever its owner says today. So addresses are judged, each one that a name leads to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]


class Place(StrEnum):
    """What kind of place an address is, in words that follow "an address"."""

    PUBLIC = "of the internet"
    HERE = "of this machine"
    PRIVATE = "of a private network"
    NOWHERE = "where no destination can be"


def _networks(text: str) -> Networks:
    return tuple(ip_network(part) for part in text.split())


_HERE = _networks("127.0.0.0/8 ::1/128")
_PRIVATE = _networks("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 169.254.0.0/16 100.64.0.0/10 fc00::/7 fe80::/10")
"""RFC 1918, 3927 and 6598 for IPv4, RFC 4193 and 4291 for IPv6."""
_CLOUD = _networks(
    "169.254.169.254/32 169.254.170.2/32 169.254.170.23/32 168.63.129.16/32 100.100.100.200/32"
    " fd00:ec2::254/128 fd00:ec2::23/128 fd20:ce::254/128"
)
"""Where clouds give a machine its credentials. Nobody keeps customers there, so no operator can want a call to go there."""
_SPECIAL = _networks(
    "0.0.0.0/8 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    " 2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
"""The special-purpose registries of IANA: this network, protocols, examples, benchmarks, multicast, and tunnels that carry
another address inside (6to4, Teredo). The version of Python decides nothing here, for its own lists have changed."""
_UNICAST = ip_network("2000::/3")
"""All that is given out of IPv6; the rest is private, special, or an address of IPv4 in another form."""
_CARRIERS = _networks("::ffff:0:0/96 64:ff9b::/96")
"""IPv6 forms of an IPv4 address that a call really goes to: mapped (RFC 4291), and translated on the way (RFC 6052)."""

_WAY_OUT = "`allow_private: true` in the destination's `config` lets calls go to this machine and to private networks"


def place(address: Address) -> Place:
    """What kind of place an address is; an IPv6 form of an IPv4 address is what that one is."""
    if _is_in(address, _CARRIERS):
        return place(IPv4Address(int(address) & 0xFFFF_FFFF))
    if _is_in(address, _HERE):
        return Place.HERE
    if _is_in(address, _CLOUD) or _is_in(address, _SPECIAL):
        return Place.NOWHERE
    if _is_in(address, _PRIVATE):
        return Place.PRIVATE
    return Place.PUBLIC if isinstance(address, IPv4Address) or address in _UNICAST else Place.NOWHERE


def literal(host: str) -> Address | None:
    """The address that a host is; None for a name, and for the odd spellings of an address, which are looked up like names."""
    try:
        return ip_address(host)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the calls of a destination may go: the internet, and what its operator wrote.

    ``here`` are hosts and ports of this machine that stand in the destination's file as they are; ``private`` that the operator
    allows all of this machine and of private networks.
    """

    private: bool = False
    here: frozenset[tuple[str, int]] = frozenset()

    def refusal(self, host: str, port: int, addresses: Sequence[Address]) -> str:
        """Why no call may go to a host that leads to ``addresses``; empty when one may. One bad address refuses all."""
        for address in addresses:
            found = place(address)
            if not self._allows(host, port, found):
                # The host may come from the environment, and the reason stands in the ledger: it is not repeated.
                leads = "is" if literal(host) == address else f"leads to {address},"
                is_allowable = found is not Place.NOWHERE and (host, port) not in self.here
                return f"the host {leads} an address {found}" + (f"; {_WAY_OUT}" if is_allowable else "")
        return ""

    def _allows(self, host: str, port: int, found: Place) -> bool:
        if (host, port) in self.here:
            return found is Place.HERE
        return found is Place.PUBLIC or (self.private and found is not Place.NOWHERE)


def _is_in(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)
