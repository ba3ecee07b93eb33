"""Ports are checked before anything starts."""

import socket
from collections.abc import Generator

import pytest

from local.process.ports import HOST, check_ports, free_port, is_free
from local.services import CATALOGUE, choose_ports
from local.unavailable import Unavailable


@pytest.fixture
def taken() -> Generator[int]:
    """A port that another program listens on."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((HOST, free_port()))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_in_use_is_named_with_the_setting_that_changes_it(taken: int) -> None:
    with pytest.raises(Unavailable, match=rf"Port {taken} is in use.*SPREADER_INGRESS_PORT"):
        check_ports({"SPREADER_STATS_PORT": free_port(), "SPREADER_INGRESS_PORT": taken})


def test_two_settings_with_one_port_are_named() -> None:
    port = free_port()
    with pytest.raises(Unavailable, match=rf"SPREADER_B_PORT and SPREADER_A_PORT are both {port}"):
        check_ports({"SPREADER_A_PORT": port, "SPREADER_B_PORT": port})


def test_a_free_port_can_be_listened_on() -> None:
    assert is_free(free_port())


def test_a_port_is_free_again_as_soon_as_its_server_is_gone() -> None:
    """Lingering connections of the last server do not block the port."""
    port = free_port()
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((HOST, port))
        server.listen()
        with socket.create_connection((HOST, port)):
            server.accept()[0].close()
    assert is_free(port)


@pytest.mark.parametrize("text", ["eighty", "0", "70000", "-1", "80.5"])
def test_an_invalid_port_is_reported(text: str) -> None:
    with pytest.raises(Unavailable, match="SPREADER_PACER_PORT is"):
        choose_ports(CATALOGUE, {"SPREADER_PACER_PORT": text})


def test_the_environment_chooses_a_port_and_public_ports_are_fixed(taken: int) -> None:
    ports = choose_ports(CATALOGUE, {"SPREADER_ROUTER_PORT": str(taken)})
    assert ports["router"] == taken
    assert (ports["ingress"], ports["stats"], ports["console"], ports["simulator"]) == (8000, 8001, 8080, 8090)
    assert len(set(ports.values())) == len(CATALOGUE)
