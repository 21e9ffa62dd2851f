"""What kind of place an address is, by the registries of IANA and not by the version of Python (I25)."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from engine.core.reach import Place, Reach, literal, place

PLACES = {
    Place.PUBLIC: "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0"
    " 172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255"
    " 2606:4700::1111 2a00::1 2001:200::1 ::ffff:1.1.1.1 64:ff9b::1.1.1.1",
    Place.HERE: "127.0.0.1 127.0.0.2 127.255.255.255 ::1 ::ffff:127.0.0.1 64:ff9b::7f00:1",
    Place.PRIVATE: "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 169.254.0.1 169.254.255.255"
    " 100.64.0.0 100.127.255.255 fc00::1 fdff:ffff::1 fe80::1 fe80::1%eth0 febf::1 ::ffff:10.0.0.1 ::ffff:192.168.1.1"
    " 64:ff9b::a00:1",
    Place.NOWHERE: "0.0.0.0 0.1.2.3 192.0.0.8 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1"
    " 239.255.255.255 240.0.0.1 255.255.255.255 :: ::127.0.0.1 ::ffff:0:127.0.0.1 64:ff9b:1::7f00:1 100::1 2001::1"
    " 2001:0:7f00:1:: 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe:: 3fff::1 4000::1 5f00::1 fec0::1 ff02::1"
    " 169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200 fd00:ec2::254 fd20:ce::254"
    " ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe ::ffff:0.0.0.0",
}


@pytest.mark.parametrize(("expected", "address"), [(p, a) for p, many in PLACES.items() for a in many.split()])
def test_an_address_is_a_place(expected: Place, address: str) -> None:
    assert place(ip_address(address)) is expected


@pytest.mark.parametrize("private", [False, True])
def test_no_destination_is_where_machines_get_their_credentials_whatever_is_allowed(private: bool) -> None:
    bounds = Reach(private=private)

    assert "no destination" in bounds.refusal("a.example", 443, [ip_address("169.254.169.254")])


def test_one_bad_address_refuses_a_name_that_has_good_ones() -> None:
    addresses = [ip_address("1.1.1.1"), ip_address("10.0.0.7")]

    why = Reach().refusal("secret-4711.example", 443, addresses)

    assert "10.0.0.7" in why
    assert "allow_private: true" in why
    assert "4711" not in why, "it may come from the environment, and stands in the ledger"
    assert Reach(private=True).refusal("a.example", 443, addresses) == ""


def test_an_address_of_this_machine_that_is_written_allows_its_port_and_no_other_place() -> None:
    bounds = Reach(here=frozenset({("127.0.0.1", 8765), ("localhost", 80)}))

    assert bounds.refusal("127.0.0.1", 8765, [ip_address("127.0.0.1")]) == ""
    assert bounds.refusal("127.0.0.1", 6379, [ip_address("127.0.0.1")])
    assert bounds.refusal("other.example", 8765, [ip_address("127.0.0.1")])
    assert bounds.refusal("localhost", 80, [ip_address("::1"), ip_address("127.0.0.1")]) == ""
    assert bounds.refusal("localhost", 80, [ip_address("1.1.1.1")]), "what is sent there is not encrypted"


@pytest.mark.parametrize("host", ["127.1", "0177.0.0.1", "0x7f000001", "2130706433", "a.example", "", "127.0.0.1."])
def test_an_odd_spelling_of_an_address_is_no_literal(host: str) -> None:
    assert literal(host) is None
