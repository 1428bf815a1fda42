"""Ports of the demo's services and desks, beside another demo that runs."""

from hansa.node.demo.desks import DESK_PORTS, hold_port


def test_a_service_takes_no_port_where_desks_look_for_theirs():
    first = DESK_PORTS.start
    with hold_port(first) as one, hold_port(first) as other:
        ports = {each.getsockname()[1] for each in (one, other)}
    assert len(ports) == 2
    assert min(ports) >= DESK_PORTS.stop
