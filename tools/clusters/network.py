"""The network of a cluster: one link for each host to the bridge of its rack, and links between the racks.

All bridges live in a network namespace of their own. Each link is limited in both directions by tbf, with a burst so small
that messages of middle size do not beat the rate (16 to 32 KiB), and a queue so long that nothing is dropped.
"""
import json

from hosts import Namespaces, run

BURST = "32kb"
QUEUE = "8mb"
# Of what TCP hands down in one piece: larger than the burst, tbf would have to cut each.
LARGEST_PIECE = 16384


def address_of(number):
    return f"10.77.{number // 250}.{number % 250 + 1}"


class Network:
    def __init__(self, rate, racks, rack_rate):
        self.rate, self.racks, self.rack_rate = rate, racks, rack_rate
        self.links = []
        self.switch = Namespaces(("net",), ["sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6; echo ready; exec cat"])
        for rack in range(racks):
            self._bridge(f"rack{rack + 1}")
        if racks == 2:
            self._join("rack1", "rack2", "uplink1")
        elif racks > 2:
            self._bridge("spine")
            for rack in range(racks):
                self._join(f"rack{rack + 1}", "spine", f"uplink{rack + 1}")

    def _ip(self, *words):
        return run(*self.switch.enter("net"), "ip", *words)

    def _bridge(self, name):
        self._ip("link", "add", name, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        self._ip("link", "set", name, "up")

    def _limit(self, inside, device, rate):
        run(*inside, "ip", "link", "set", device, "gso_max_size", LARGEST_PIECE)
        if rate:
            run(*inside, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", rate, "burst", BURST, "limit", QUEUE)

    def _join(self, lower, upper, name):
        self.links.append(name)
        self._ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-up")
        for end, bridge in ((name, lower), (f"{name}-up", upper)):
            self._ip("link", "set", end, "master", bridge, "up")
            self._limit(self.switch.enter("net"), end, self.rack_rate)

    def connect(self, host, number, rack):
        self.links.append(host.name)
        self._ip("link", "add", host.name, "type", "veth", "peer", "name", "eth0", "netns", host.pid)
        self._ip("link", "set", host.name, "master", f"rack{rack + 1}", "up")
        inside = host.enter("net")
        run(*inside, "ip", "address", "add", f"{address_of(number)}/16", "dev", "eth0")
        run(*inside, "ip", "link", "set", "eth0", "up")
        self._limit(self.switch.enter("net"), host.name, self.rate)
        self._limit(inside, "eth0", self.rate)

    def set_link(self, host, state):
        """Pulls the cable at the switch: the host's own end sees that nobody answers any more."""
        self._ip("link", "set", host.name, state)

    def set_rate(self, host, rate):
        for inside, device in ((self.switch.enter("net"), host.name), (host.enter("net"), "eth0")):
            run(*inside, "tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", rate, "burst", BURST, "limit", QUEUE)

    def counters(self):
        """link -> bytes sent into the network by what hangs on it, and bytes received from there; packets likewise."""
        found = {}
        for device in json.loads(self._ip("-s", "-j", "link", "show")):
            name = device["ifname"]
            if name not in self.links:
                continue
            # A host's port receives what the host sends; an uplink's lower end sends what leaves its rack.
            sent, received = ("tx", "rx") if name.startswith("uplink") else ("rx", "tx")
            numbers = device["stats64"]
            found[name] = {"sent": numbers[sent]["bytes"], "received": numbers[received]["bytes"],
                           "packets_sent": numbers[sent]["packets"], "packets_received": numbers[received]["packets"]}
        return found

    def end(self):
        self.switch.end()
