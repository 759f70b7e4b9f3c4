#!/usr/bin/env python3
"""Makes the golden files of this folder from the real programs. Needs root, iptables 1.8.9 (both backends) and ipset.

Every line of rules-ip.txt and rules-ip6.txt is TABLE[:CHAIN] and the arguments of one rule. Each is given to iptables-legacy and
iptables-nft in a network namespace of its own; spellings-*.txt says how the rule was printed (or ERR and why it was refused),
*.save what the save program printed of them all, with and without -c, list-*.txt what -S and -v -S printed. A line that begins
with ~ is taken out again before saving: iptables prints it in a form that iptables-restore itself cannot read.
"""
import os, shlex, socket, struct, subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
NS = "golden-iptables"
X = ["ip", "netns", "exec", NS]


def run(*words, text=None):
    return subprocess.run([*X, *words], capture_output=True, text=True, input=text)


def make_accounting(name):
    """An nfacct object, by netlink: NFNL_SUBSYS_ACCT << 8 | NFNL_MSG_ACCT_NEW."""
    code = f"""
import socket, struct
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12); s.bind((0, 0))
n = {name!r}.encode() + b'\\0'
a = struct.pack('HH', 4 + len(n), 1) + n; a += b'\\0' * (-len(a) % 4)
b = struct.pack('BBH', 0, 0, 0) + a
s.send(struct.pack('IHHII', 16 + len(b), 7 << 8, 0x405, 1, 0) + b); s.recv(4096)
"""
    run("python3", "-c", code)


def make(family, backend):
    program = {"ip": "iptables", "ip6": "ip6tables"}[family] + "-" + backend
    run(program, "-N", "USER")
    with open(f"{HERE}/spellings-{family}-{backend}.txt", "w") as spellings:
        for line in open(f"{HERE}/rules-{family}.txt").read().splitlines():
            place, arguments = line.lstrip("~").split(" ", 1)
            table, _, chain = place.partition(":")
            chain = chain or ("FORWARD" if "-o " in arguments else "INPUT")
            made = run(program, "-t", table, "-A", chain, *shlex.split(arguments))
            listing = run(program, "-t", table, "-S", chain).stdout.splitlines()
            printed = "ERR " + made.stderr.strip().splitlines()[0] if made.returncode else listing[-1]
            spellings.write(f"{place} {arguments}\n    {printed}\n")
            if line.startswith("~"):
                run(program, "-t", table, "-D", chain, str(len(listing) - 1))
    for suffix, options in (("", []), ("-c", ["-c"])):
        with open(f"{HERE}/{family}-{backend}{suffix}.save", "w") as save:
            save.write(run(program + "-save", *options).stdout)
    for suffix, options in (("", []), ("-v", ["-v"])):
        with open(f"{HERE}/list-{family}-{backend}{suffix}.txt", "w") as listing:
            listing.write(run(program, *options, "-S").stdout)


for family in ("ip", "ip6"):
    for backend in ("legacy", "nft"):
        subprocess.run(["ip", "netns", "add", NS], check=True)
        try:
            for words in ("S1 hash:ip", "S2 hash:ip,port", "S6 hash:ip family inet6"):
                run("ipset", "create", *words.split())
            make_accounting("ct_state_invalid_dropped_pkts")
            make(family, backend)
        finally:
            subprocess.run(["ip", "netns", "del", NS], check=True)
