"""The clusters that scripts/compare --cluster measures, and a PostgreSQL for those who keep messages in one."""

import contextlib
import json
import os
import pwd
import secrets
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from servers import START_SECONDS, Ejabberd, Server, Stentor, free_port, own

LIBRARIES = Path(__file__).resolve().parent.parent / "lib"
MEMBERS = 3
SETTLE_SECONDS = 2


class Postgres:
    """A throwaway PostgreSQL with fsync on, by scripts/lib/postgres.sh, which ends it when this process ends."""

    def __init__(self, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            [LIBRARIES / "postgres.sh", "start", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.url = self.process.stdout.readline().strip()
        if not self.url:
            sys.exit("PostgreSQL does not start")

    def pid(self):
        """Its first process; those that serve connections are its children."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def stop(self):
        self.process.stdin.close()
        self.process.wait(60)


class EjabberdNode(Ejabberd):
    """One node of a cluster: as ejabberdctl starts it, but in a folder of its own."""

    def __init__(self, folder, certificate, key, options, number, mapper, cookie):
        super().__init__(folder, certificate, key, options)
        self.node, self.mapper, self.cookie = f"compare{number}@localhost", mapper, cookie

    def distribution(self):
        # This machine's own epmd stays out of it.
        return ["-setcookie", self.cookie, "-start_epmd", "false", "-kernel", "inet_dist_use_interface", "{127,0,0,1}"]

    def command(self):
        return [*super().command(), "-sname", self.node, *self.distribution()]

    def environment(self):
        return {**super().environment(), "ERL_EPMD_PORT": str(self.mapper), "ERL_EPMD_ADDRESS": "127.0.0.1"}

    def control(self, *command):
        """What `ejabberdctl COMMAND...` does."""
        result = subprocess.run(
            ["/usr/bin/erl", "-sname", f"control{secrets.token_hex(4)}@localhost", "-hidden", "-noinput",
             *self.distribution(), "-s", "ejabberd_ctl", "-extra", self.node, *command],
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), **self.environment()},
            capture_output=True, text=True, check=False, timeout=START_SECONDS,
        )
        if result.returncode:
            sys.exit(f"ejabberdctl {' '.join(command)}: {result.stdout}{result.stderr}")
        return result.stdout


class EjabberdCluster(Server):
    """Nodes of ejabberd, joined by `join_cluster`; the first has the accounts, and Mnesia gives them to all."""

    name = "ejabberd, 3 nodes"
    packages = ["ejabberd"]

    def __init__(self, folder, certificate, key, options):
        super().__init__(folder, certificate, key, options)
        folder.chmod(0o755)
        self.mapper, cookie = free_port(), secrets.token_hex(16)
        self.nodes = [EjabberdNode(folder / f"node{number}", certificate, key, options, number, self.mapper, cookie)
                      for number in range(1, MEMBERS + 1)]
        self.names = None

    def configure(self):
        for node in self.nodes:
            node.configure()

    def add_accounts(self, count):
        first, *others = self.nodes
        with self.names_known():
            first.add_accounts(count)
        with self.running():
            for node in others:
                node.control("join_cluster", first.node)
            deadline = time.monotonic() + START_SECONDS
            while not all(self.knows_all(node) for node in self.nodes):
                if time.monotonic() > deadline:
                    sys.exit(f"ejabberd's nodes do not join:\n{first.control('list_cluster')}")
                time.sleep(0.5)

    def knows_all(self, node):
        return all(other.node in node.control("list_cluster") for other in self.nodes)

    @contextlib.contextmanager
    def names_known(self):
        """With the nodes' own epmd."""
        names = subprocess.Popen(
            ["/usr/bin/epmd", "-port", str(self.mapper), "-address", "127.0.0.1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )
        try:
            yield
        finally:
            names.terminate()
            names.wait()

    @contextlib.contextmanager
    def running(self):
        with self.names_known():
            try:
                # At once: each waits for the tables of the others.
                for node in self.nodes:
                    node.start()
                for node in self.nodes:
                    node.wait_until_ready()
                yield
            finally:
                for node in self.nodes:
                    node.stop()

    def kill_second(self):
        self.nodes[1].kill()

    def addresses(self):
        return [address for node in self.nodes for address in node.addresses()]

    def pids(self):
        return [pid for node in self.nodes for pid in node.pids()]


class EjabberdArchive(Ejabberd):
    """One node that archives every message in PostgreSQL (XEP-0313): what comes nearest to keeping it."""

    name = "ejabberd, archive in PostgreSQL"
    packages = ["ejabberd", "erlang-p1-pgsql"]
    modules = "  mod_mam:\n    db_type: sql\n    default: always\n"

    def __init__(self, folder, certificate, key, options):
        super().__init__(folder, certificate, key, options)
        self.postgres = Postgres(folder.with_name("ejabberd-postgres"))
        address = urlsplit(self.postgres.url)
        self.settings = (
            f"sql_type: pgsql\nsql_server: {address.hostname}\nsql_port: {address.port}\nsql_database: postgres\n"
            f"sql_username: {address.username}\nsql_password: {address.password}\n"
        )
        schema = Path("/usr/share/ejabberd/sql/pg.sql")
        subprocess.run(["psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", schema, self.postgres.url],
                       check=True, stdout=subprocess.DEVNULL)

    def pids(self):
        return [*super().pids(), self.postgres.pid()] if self.process else []

    def end(self):
        self.postgres.stop()


class StentorMember(Stentor):
    """One member; `more` is what a member's configuration has besides."""

    def __init__(self, folder, certificate, key, options, keep, more):
        super().__init__(folder, certificate, key, options)
        self.keep, self.more = keep, more

    def configure(self):
        super().configure()
        with open(self.folder / "stentor.toml", "a", encoding="utf-8") as file:
            file.write(self.more)

    def knows_all(self):
        """Whether this member sees all members, linked and with their slots."""
        command = [self.options.stentor, "--config", self.folder / "stentor.toml", "cluster", "members", "--json"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        members = [] if result.returncode else json.loads(result.stdout)
        return len(members) == MEMBERS and all(member["is_linked"] and member["slots"] for member in members)


class StentorCluster(Server):
    """Members of Stentor with a PostgreSQL, whose processes count as theirs."""

    name = "Stentor, 3 members"
    keep = "false"
    is_compared = True

    @staticmethod
    def missing(options):
        result = subprocess.run([options.stentor, "cluster", "--help"], capture_output=True, check=False)
        return f"{options.stentor} knows nothing of clusters" if result.returncode else None

    def __init__(self, folder, certificate, key, options):
        super().__init__(folder, certificate, key, options)
        folder.chmod(0o755)
        self.postgres = Postgres(folder.with_name(f"{folder.name}-postgres"))
        address = urlsplit(self.postgres.url)
        password = folder / "password"
        password.write_text(f"{address.password}\n")
        password.chmod(0o600)
        store = (f'\n[store]\nengine = "postgres"\npassword_file = "{password}"\ntls = "off"\n'
                 f'url = "postgresql://{address.username}@{address.hostname}:{address.port}{address.path}"\n')
        names, trust = "abc"[:MEMBERS], folder / "trust"
        command = [options.stentor, "cluster", "init", str(trust)]
        subprocess.run(command + [word for name in names for word in ("--member", name)],
                       check=True, stdout=subprocess.DEVNULL)
        self.members = [
            StentorMember(folder / name, certificate, key, options, self.keep, store + (
                f'\n[cluster]\nid = "compare"\nname = "{name}"\n'
                f'link = "127.0.0.1:{free_port()}"\ngossip = "127.0.0.1:{free_port()}"\n'
                f'authority = "{trust}/authority.crt"\ncertificate = "{trust}/{name}.crt"\nkey = "{trust}/{name}.key"\n'
                f'gossip_keys = "{trust}/gossip.keys"\n'
            )) for name in names
        ]

    def configure(self):
        for member in self.members:
            member.configure()

    def add_accounts(self, count):
        # Into the store that all have.
        self.members[0].add_accounts(count)

    @contextlib.contextmanager
    def running(self):
        if os.geteuid() == 0:
            own(self.folder, pwd.getpwnam("nobody"))
        try:
            for member in self.members:
                member.start()
            for member in self.members:
                member.wait_until_ready()
            deadline = time.monotonic() + START_SECONDS
            while not all(member.knows_all() for member in self.members):
                if time.monotonic() > deadline:
                    sys.exit("Stentor's members do not join")
                time.sleep(0.2)
            # The table says where slots go; a moment later they are there.
            time.sleep(SETTLE_SECONDS)
            yield
        finally:
            for member in self.members:
                member.stop()

    def kill_second(self):
        self.members[1].kill()

    def addresses(self):
        return [address for member in self.members for address in member.addresses()]

    def pids(self):
        pids = [pid for member in self.members for pid in member.pids()]
        return pids and [*pids, self.postgres.pid()]

    def end(self):
        self.postgres.stop()


class StentorClusterKept(StentorCluster):
    """With every acknowledged message in PostgreSQL, twice, as the other's archive has it."""

    name = "Stentor, 3 members, kept"
    keep = "true"
