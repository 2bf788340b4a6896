"""The servers that scripts/compare measures: how each is configured, given accounts, started and stopped."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TEMPLATES = Path(__file__).resolve().parent
DOMAIN = "load.example"
CONTACTS = 10
PASSWORD = "secret"
# Started servers get this long until they accept connections.
START_SECONDS = 60


class Server:
    """One server under measurement: how it is configured, started and given accounts."""

    name = ""
    packages = []
    # Whether it is the one whose share of the others the table tells.
    is_compared = False

    def __init__(self, folder, certificate, key, options):
        self.folder, self.options = folder, options
        self.port, self.tls_port = free_port(), free_port()
        self.process = None
        folder.mkdir()
        self.certificate = Path(shutil.copy(certificate, folder))
        self.key = Path(shutil.copy(key, folder))
        self.key.chmod(0o600)

    def fill(self, template, target, **more):
        names = {
            "DATA": self.folder, "DOMAIN": DOMAIN, "PORT": self.port, "TLS_PORT": self.tls_port,
            "CERTIFICATE": self.certificate, "KEY": self.key, **more,
        }
        text = (TEMPLATES / template).read_text()
        for name, value in names.items():
            text = text.replace(f"@{name}@", str(value))
        target.write_text(text)

    @staticmethod
    def missing(_options):
        """Why this one cannot be measured here; nothing if it can."""

    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def add_accounts(self, count):
        """The accounts, with their rosters, by the server's own means. Called while it is stopped."""
        with self.running():
            self.load("prepare", "--clients", count)
            self.load("prepare-rosters", "--clients", count, "--contacts", CONTACTS)

    def addresses(self):
        """Where clients connect."""
        return [f"127.0.0.1:{self.port}"]

    def pids(self):
        """The processes that serve; their children count without being named."""
        return [self.process.pid] if self.process else []

    def load_command(self, scenario, *arguments):
        """What runs the load generator against this server."""
        command = [
            self.options.load, scenario, "--domain", DOMAIN, "--connect", ",".join(self.addresses()),
            "--insecure", "--quiet", "--json", "--password", PASSWORD, *map(str, arguments),
        ]
        if self.options.mechanism:
            command += ["--mechanism", self.options.mechanism]
        if self.pids():
            command += ["--server-pid", ",".join(map(str, self.pids()))]
        return command

    def load(self, scenario, *arguments):
        """Runs the load generator; its report where it gives one."""
        command = self.load_command(scenario, *arguments)
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode == 2 or (result.returncode and not result.stdout.startswith("{")):
            sys.exit(f"{self.name}: {scenario}: {result.stderr}{result.stdout}")
        return json.loads(result.stdout) if result.stdout.startswith("{") else None

    @contextlib.contextmanager
    def running(self, *arguments):
        try:
            self.start(*arguments)
            self.wait_until_ready()
            yield
        finally:
            self.stop()

    def start(self, *arguments):
        identity = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            own(self.folder, user)
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", **self.environment()}
        with open(self.folder / "output.log", "ab") as log:
            self.process = subprocess.Popen(
                [*self.command(), *arguments], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment, start_new_session=True, **identity,
            )

    def wait_until_ready(self):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.1)
        sys.exit(f"{self.name} does not start:\n{(self.folder / 'output.log').read_text()[-3000:]}")

    def end(self):
        """After the last of all runs."""

    def kill(self):
        """Ends it as a crash would."""
        os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self):
        if not self.process:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None


class Prosody(Server):
    name = "Prosody"
    packages = ["prosody"]

    def configure(self):
        self.fill("prosody.cfg.lua", self.folder / "prosody.cfg.lua", BACKEND=self.options.prosody_backend)

    def add_accounts(self, count):
        # Prosody's own store: a Lua table in a file for each account and roster. Stretching all passwords would
        # take minutes, so they share one, and the salt.
        salt, iterations = "compare", 10_000
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt.encode(), iterations)
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        keys = (hashlib.sha256(client_key).hexdigest(), hmac.digest(salted, b"Server Key", "sha256").hex())
        account = (f'return {{ ["stored_key"] = "{keys[0]}"; ["server_key"] = "{keys[1]}"; '
                   f'["salt"] = "{salt}"; ["iteration_count"] = {iterations}; }};\n')
        store = self.folder / DOMAIN.replace(".", "%2e")
        for name in ["accounts", "roster"]:
            (store / name).mkdir(parents=True)
        for number in range(count):
            (store / "accounts" / f"load{number}.dat").write_text(account)
            items = "".join(f'["{jid}"] = {{ ["groups"] = {{}}; ["subscription"] = "both"; }}; '
                            for jid in contacts(number, count))
            roster = f'return {{ [false] = {{ ["pending"] = {{}}; ["version"] = 1; }}; {items}}};\n'
            (store / "roster" / f"load{number}.dat").write_text(roster)

    def command(self):
        return ["/usr/bin/prosody", "-F", "--config", str(self.folder / "prosody.cfg.lua")]


class Ejabberd(Server):
    name = "ejabberd"
    packages = ["ejabberd"]
    settings = modules = ""

    def configure(self):
        bundle = self.folder / "bundle.pem"
        bundle.write_text(self.certificate.read_text() + self.key.read_text())
        self.fill("ejabberd.yml", self.folder / "ejabberd.yml", BUNDLE=bundle,
                  SETTINGS=self.settings, MODULES=self.modules)

    def add_accounts(self, count):
        # XEP-0227, which ejabberd imports.
        users = "".join(
            f"<user name='load{number}' password='{PASSWORD}'><query xmlns='jabber:iq:roster'>"
            + "".join(f"<item jid='{jid}' subscription='both'/>" for jid in contacts(number, count))
            + "</query></user>\n"
            for number in range(count)
        )
        file = self.folder / "import.xml"
        file.write_text(f"<?xml version='1.0'?>\n<server-data xmlns='urn:xmpp:pie:0'><host jid='{DOMAIN}'>\n"
                        f"{users}</host></server-data>\n")
        call = f'io:format("import: ~p~n", [ejabberd_piefxis:import_file(<<"{file}">>)]), init:stop().'
        with self.running("-eval", call):
            self.process.wait(1800)
        if "import: ok" not in (self.folder / "output.log").read_text():
            sys.exit(f"ejabberd does not import:\n{(self.folder / 'output.log').read_text()[-3000:]}")

    def command(self):
        # As the package's ejabberdctl does, but without distribution, which one node does not need, and without
        # schedulers that spin when they have nothing to do: that would count as CPU of the operations.
        return [
            "/usr/bin/erl", "-noinput", "+K", "true", "+P", "250000",
            "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none",
            "-mnesia", "dir", json.dumps(str(self.folder / "mnesia")), "-s", "ejabberd",
        ]

    def environment(self):
        libraries = next(Path("/usr/lib").glob("*/ejabberd-*"), Path("/usr/lib/ejabberd")).parent
        return {
            "ERL_LIBS": str(libraries), "EJABBERD_CONFIG_PATH": str(self.folder / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"), "ERL_CRASH_DUMP_BYTES": "0",
        }


class Stentor(Server):
    name = "Stentor"
    keep = "false"
    is_compared = True

    def configure(self):
        self.fill("stentor.toml", self.folder / "stentor.toml", KEEP=self.keep)

    def command(self):
        return [self.options.stentor, "serve", "--config", str(self.folder / "stentor.toml")]

    def add_accounts(self, count):
        # A backup made by hand, and restored. As with Prosody, one salt, since stretching takes its time.
        salt, iterations = b"compare", 10_000
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, iterations)
        stored_key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
        in_base64 = lambda key: base64.b64encode(key).decode()
        credentials = json.dumps({"v": 1, "SHA-256": {
            "salt": in_base64(salt), "iterations": iterations, "stored_key": in_base64(stored_key),
            "server_key": in_base64(hmac.digest(salted, b"Server Key", "sha256")),
        }})
        contact = json.dumps({"v": 1, "subscription": "both", "listed": True})
        rows = []
        for number in range(count):
            owner = f"load{number}@{DOMAIN}"
            records = [("account", "credentials", credentials)]
            records += [("roster", jid, contact) for jid in contacts(number, count)]
            for collection, key, value in records:
                rows.append({"record": {"kind": "u", "owner": owner, "collection": collection, "key": key,
                                        "version": 1, "value": value}})
        text = "".join(json.dumps(row) + "\n" for row in [{"stentor_export": 1}, *rows])
        end = {"end": {"rows": len(rows), "sha256": hashlib.sha256(text.encode()).hexdigest()}}
        file = self.folder / "accounts.export"
        file.write_text(text + json.dumps(end) + "\n")
        command = [self.options.stentor, "restore", str(file), "--config", str(self.folder / "stentor.toml")]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            sys.exit(f"stentor restore: {result.stderr}")


class StentorKept(Stentor):
    """With every acknowledged message on disk, which the others do not do: shown beside, not compared."""

    name = "Stentor, kept"
    keep = "true"
    is_compared = False


def contacts(number, count):
    """The other members of the account's mesh, as stentor-load makes them."""
    first = number - number % (CONTACTS + 1)
    members = range(first, min(first + CONTACTS + 1, count))
    return [f"load{other}@{DOMAIN}" for other in members if other != number]


def own(folder, user):
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
