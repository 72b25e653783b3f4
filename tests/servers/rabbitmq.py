"""A private RabbitMQ: a node of its own name, its own name service, its management API, all on loopback."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any, Final

from tests.servers.packages import binary
from tests.servers.private import PrivateServer, Unavailable, free_ports, greeting

#: Debian's command of that name is a wrapper for root and for the account of the service; we want what it wraps.
_FOLDERS: Final = ("/usr/lib/rabbitmq/bin",)
_CONFIGURATION: Final = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {api}
collect_statistics_interval = 1000
default_user = lgsp
default_pass = {password}
log.file.level = warning
disk_free_limit.absolute = 50MB
"""


class PrivateRabbit(PrivateServer):
    """RabbitMQ as Debian packs it, with its management plugin; administrator ``lgsp``."""

    name = "rabbitmq"
    account = "rabbitmq"

    def __init__(self, folder: Path | None = None, *, settings: str = "") -> None:
        """``settings``: lines of rabbitmq.conf beyond ours, read at the first start."""
        self._program = binary("rabbitmq-server", "rabbitmq-server", *_FOLDERS)
        self._epmd = binary("epmd", "rabbitmq-server", "/usr/lib/erlang/bin")
        super().__init__(folder)
        self.port, self.api_port, self._node_port, self._names_port = free_ports(4)
        self._node = f"lgsp-{secrets.token_hex(4)}@localhost"
        self.settings = settings
        self._names: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of its first virtual host, ``/``."""
        return f"amqp://lgsp:{self.password}@127.0.0.1:{self.port}/"

    @property
    def api(self) -> RabbitApi:
        """What its management page can do."""
        return RabbitApi(self.api_url)

    @property
    def api_url(self) -> str:
        """The address of the same, with user and password."""
        return f"http://lgsp:{self.password}@127.0.0.1:{self.api_port}"

    def control(self, *words: str) -> None:
        """Let its administrator's command do something; that takes seconds."""
        program = binary("rabbitmqctl", "rabbitmq-server", *_FOLDERS)
        ended = self.run([program, "--node", self._node, *words], self._environment()).wait(60)
        if ended != 0:
            raise Unavailable(f"rabbitmqctl {words[0]} failed: {self.said()}")

    def _prepare(self) -> None:
        ports = {"amqp": self.port, "api": self.api_port, "password": self.password}
        self.write("rabbitmq.conf", _CONFIGURATION.format(**ports) + self.settings)
        self.write("enabled_plugins", "[rabbitmq_management].\n")
        self.write("env.conf", "")

    def _launch(self) -> subprocess.Popen[bytes]:
        environment = self._environment()
        # The node would start a name service by itself and leave it behind.
        if self._names is None or self._names.poll() is not None:
            self._names = self.run([self._epmd, "-port", str(self._names_port), "-address", "127.0.0.1"], environment)
        return self.run([self._program], environment)

    def _answers(self) -> bool:
        return bool(greeting(self.port, b"AMQP\0\0\x09\x01"))

    def kill(self) -> None:
        """As a power cut would."""
        super().kill()
        if self._names is not None:
            self._names.kill()
            self._names.wait(10)
            self._names = None

    def _environment(self) -> dict[str, str]:
        folder = self.folder
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # Two schedulers that sleep when there is nothing to do: others use this machine, too.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none"
            ),
        }


class RabbitApi:
    """The management API of a running RabbitMQ, as JSON."""

    def __init__(self, url: str) -> None:
        """``url``: its address with user and password, without a path."""
        parts = urllib.parse.urlsplit(url)
        self._base = f"{parts.scheme}://{parts.hostname}:{parts.port}/api/"
        user, password = (
            urllib.parse.unquote(parts.username or "guest"),
            urllib.parse.unquote(parts.password or "guest"),
        )
        self.user = user
        self._authorization = "Basic " + b64encode(f"{user}:{password}".encode()).decode()

    def ask(self, method: str, *path: str, body: Any = None) -> Any:
        """One request; ``path`` in unescaped parts. Answers its JSON, None where there is none or it is not found."""
        request = urllib.request.Request(  # noqa: S310 - a server of the tests
            self._base + "/".join(urllib.parse.quote(part, safe="") for part in path),
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": self._authorization, "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 404:
                    raise
            return None
        return json.loads(text) if text else None

    def make_vhost(self, name: str) -> None:
        """A virtual host in which the API's own user may do everything."""
        self.ask("PUT", "vhosts", name, body={})
        self.ask("PUT", "permissions", name, self.user, body={"configure": ".*", "write": ".*", "read": ".*"})

    def drop_vhost(self, name: str) -> None:
        """Forget a virtual host with all that is in it; nothing happens where there is none."""
        self.ask("DELETE", "vhosts", name)

    def vhosts(self) -> list[str]:
        """The names of all virtual hosts."""
        return [host["name"] for host in self.ask("GET", "vhosts")]

    def queues(self, vhost: str) -> dict[str, dict[str, Any]]:
        """Its queues by name, as the management page shows them: numbers of messages are some seconds old."""
        return {queue["name"]: queue for queue in self.ask("GET", "queues", vhost)}

    def close_connections(self, vhost: str) -> int:
        """Close all connections to it by force, as an operator may; answers how many the page knew."""
        known = [each["name"] for each in self.ask("GET", "vhosts", vhost, "connections") or []]
        for name in known:
            with contextlib.suppress(urllib.error.HTTPError):
                self.ask("DELETE", "connections", name)
        return len(known)
