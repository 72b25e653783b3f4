"""Reads one agency's file: checked against schema and sense, its certificates inlined, its secret hashed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.config.adapter_kinds import settings_schema
from gateway.config.documents import Document, Step, nearest
from gateway.config.judging import judge, schema
from gateway.config.keys import is_pair, is_there, not_a_pair, read_certificate_file, read_key
from gateway.config.reading import NewPair, Reading
from gateway.config.secret import hash_secret, is_secret
from gateway.core.codes import form_of
from gateway.core.directory import Certificate
from gateway.core.faults import Misconfigured, Text
from gateway.core.moments import parse_duration

_SHORT_SECRET: Final = 16
_MAX_SECRET: Final = 1024


def read_agency(reading: Reading, document: Document) -> dict[str, Any] | None:
    """The registry body of one agency; None where the schema refuses it (mistakes are noted in ``reading``)."""
    found = judge(document, schema("agency"))
    if found:
        reading.mistakes += found
        return None
    body = dict(document.values)
    code = str(body["code"])
    written = [(("code",), code), *((("aliases", n), alias) for n, alias in enumerate(body.get("aliases", [])))]
    for path, each in written:
        if form_of(each) is None:
            reading.warn(
                document,
                path,
                f"Mã {each} không theo mẫu mã định danh quen thuộc; vẫn được chấp nhận.",
                f"The code {each} has none of the official forms; it is accepted all the same.",
            )
    names: set[str] = set()
    for n, system in enumerate(body.get("systems", [])):
        if system["name"] in names:
            reading.mistake(
                document,
                ("systems", n, "name"),
                Text(f"Cơ quan đã có hệ thống tên {system['name']}", f"There is a system {system['name']} already"),
                Text("Hãy đặt tên khác cho một trong hai.", "Give one of the two another name."),
            )
        names.add(system["name"])
    if "systems" in body:
        body["systems"] = [
            _SystemEntry(reading, document, ("systems", n), f"{code}/{system['name']}", system).body()
            for n, system in enumerate(body["systems"])
        ]
    return body


@dataclass(frozen=True, slots=True)
class _SystemEntry:
    """One ``[[systems]]`` table whose form is right; ``path`` leads to it, ``name`` is CODE/name."""

    reading: Reading
    document: Document
    path: tuple[Step, ...]
    name: str
    system: Mapping[str, Any]

    def body(self) -> dict[str, Any]:
        """The entry as the registry keeps it; every mistake is noted."""
        if self.name == self.reading.settings.system:
            self._mistake(
                ("name",),
                Text(f"{self.name} là hệ thống của chính trục liên thông", f"{self.name} is the gateway's own system"),
                Text(
                    "Hãy đặt tên khác; hệ thống của trục không cần khai báo.",
                    "Choose another name; the gateway's own system needs no entry.",
                ),
            )
        self._check_adapter()
        certificates = list(self._certificates())
        if self.system.get("sealing") == "gateway":
            certificates += self._kept_certificate(certificates)
        elif "key" in self.system:
            self._warn(
                ("key",),
                'Khoá này không được dùng, vì sealing không phải "gateway".',
                'This key is not used, since sealing is not "gateway".',
            )
        self._check_roots()
        self._check_subscriptions()
        self._check_provisions()
        body = dict(self.system)
        if certificates:
            body["certificates_pem"] = [certificate.pem for certificate in certificates]
        hashed = self._secret_hash()
        if hashed is not None:
            body["secret_hash"] = hashed
        if "webhook_secret_file" in self.system:
            self._secret("webhook_secret_file")
        return body

    def _mistake(self, below: tuple[Step, ...], wrong: Text, right: Text) -> None:
        self.reading.mistake(self.document, (*self.path, *below), wrong, right)

    def _fault(self, below: tuple[Step, ...], fault: Misconfigured) -> None:
        self.reading.fault(self.document, (*self.path, *below), fault)

    def _warn(self, below: tuple[Step, ...], vi: str, en: str) -> None:
        self.reading.warn(self.document, (*self.path, *below), vi, en)

    def _check_adapter(self) -> None:
        name = self.system["adapter"]
        folder = self.reading.adapters.get(name)
        if folder is None:
            meant = nearest(name, self.reading.adapters)
            known = ", ".join(sorted(self.reading.adapters)) or "∅"
            listed = Text(f"Các bộ chuyển đổi hiện có: {known}.", f"There are: {known}.")
            right = (
                Text(f"Có phải ý là {meant}? {listed.vi}", f"Did you mean {meant}? {listed.en}") if meant else listed
            )
            wrong = Text(f"Không có bộ chuyển đổi tên {name}", f"There is no adapter named {name}")
            self._mistake(("adapter",), wrong, right)
            return
        try:
            rules = settings_schema(self.reading.settings, folder)
        except Misconfigured as fault:
            self._fault(("adapter",), fault)
            return
        here = (*self.path, "settings")
        self.reading.mistakes += judge(self.document, rules, below=here, values=self.system.get("settings", {}))

    def _certificates(self) -> Iterator[Certificate]:
        for n, written in enumerate(self.system.get("certificates", [])):
            try:
                yield read_certificate_file(self.reading.settings.folder / written, written)
            except Misconfigured as fault:
                self._fault(("certificates", n), fault)

    def _kept_certificate(self, listed: list[Certificate]) -> list[Certificate]:
        """The certificate beside the key that the gateway keeps for this system, unless it is listed already."""
        written = self.system.get("key")
        if written is None:
            example = "keys/" + self.name.replace("/", "-") + ".pem"
            self._mistake(
                (),
                Text('sealing = "gateway" cần có key', 'sealing = "gateway" needs a key'),
                Text(f'Hãy thêm key = "{example}"; lệnh apply sẽ tạo khoá.', f'Add key = "{example}"; apply makes it.'),
            )
            return []
        if not self._is_alone(written):
            return []
        key_path = self.reading.settings.folder / written
        certificate_path = key_path.with_suffix(".crt")
        shown = self.reading.settings.shown(certificate_path)
        if not is_there(key_path):
            if is_there(certificate_path):
                self._mistake(
                    ("key",),
                    Text(f"Có chứng thư {shown} nhưng thiếu khoá {written}", f"There is {shown} but no key {written}"),
                    Text(
                        f"Hãy khôi phục khoá từ bản sao lưu, hoặc xoá {shown} để lệnh apply tạo cặp mới.",
                        f"Restore the key from the backup, or remove {shown} so that apply makes a new pair.",
                    ),
                )
            else:
                self.reading.pairs.append(NewPair(self.name, key_path, certificate_path, has_key=False))
            return []
        try:
            key = read_key(key_path, written)
            if any(is_pair(key, certificate) for certificate in listed):
                return []
            if not is_there(certificate_path):
                self.reading.pairs.append(NewPair(self.name, key_path, certificate_path, has_key=True))
                return []
            certificate = read_certificate_file(certificate_path, shown)
            if not is_pair(key, certificate):
                raise not_a_pair(shown, written)
        except Misconfigured as fault:
            self._fault(("key",), fault)
            return []
        return [certificate]

    def _is_alone(self, written: str) -> bool:
        """A key that the bus keeps signs for one system only: not for another, not for the gateway itself."""
        settings = self.reading.settings
        path = settings.folder / written
        own = {settings.signing_key: settings.system, settings.webhook_key: "webhook"}
        other = own.get(path) or self.reading.key_owners.setdefault(path, self.name)
        if other != self.name:
            self._mistake(
                ("key",),
                Text(f"Khoá này đã dùng cho {other}", f"This key is in use for {other}"),
                Text(
                    "Mỗi hệ thống cần một khoá riêng; hãy ghi tên tệp khác.",
                    "Each system needs a key of its own; name another file.",
                ),
            )
        return other == self.name

    def _check_roots(self) -> None:
        for n, subject in enumerate(self.system.get("subjects", [])):
            try:
                read_certificate_file(self.reading.settings.folder / subject["root"], subject["root"])
            except Misconfigured as fault:
                self._fault(("subjects", n, "root"), fault)

    def _check_subscriptions(self) -> None:
        seen: set[str] = set()
        for n, wish in enumerate(self.system.get("subscriptions", [])):
            here, name = ("subscriptions", n), wish["contract"]
            if name in seen:
                self._mistake(
                    (*here, "contract"),
                    Text(f"Hệ thống đã đăng ký nhận {name}", f"The system subscribes to {name} already"),
                    Text(
                        "Mỗi hợp đồng chỉ đăng ký một lần; hãy bỏ một mục.",
                        "One subscription a contract; leave one out.",
                    ),
                )
            seen.add(name)
            contract = self.reading.check_version(self.document, (*self.path, *here), name, wish["version"])
            if contract is not None and contract.kind != "message":
                self._mistake(
                    (*here, "contract"),
                    Text(f"{name} là truy vấn, không thể đăng ký nhận", f"{name} cannot be subscribed to"),
                    Text('Chỉ đăng ký hợp đồng có kind = "message".', 'Subscribe to contracts of kind "message".'),
                )
            self._check_retry((*here, "retry"), wish.get("retry", {}))

    def _check_retry(self, here: tuple[Step, ...], retry: Mapping[str, Any]) -> None:
        first = _seconds(retry.get("first", "5s"))
        if first <= 0:
            self._mistake(
                (*here, "first"),
                Text("Thời gian chờ đầu tiên phải lớn hơn không", "The first wait must be over zero"),
                Text('Ví dụ: first = "5s".', 'For example: first = "5s".'),
            )
        for name in ("cap", "deadline"):
            if name in retry and _seconds(retry[name]) < first:
                self._mistake(
                    (*here, name),
                    Text(f"{name} ngắn hơn first", f"{name} is shorter than first"),
                    Text(f"Hãy tăng {name} hoặc giảm first.", f"Raise {name} or lower first."),
                )

    def _check_provisions(self) -> None:
        for n, provision in enumerate(self.system.get("provides", [])):
            here, name = ("provides", n), provision["contract"]
            contract = self.reading.check_version(self.document, (*self.path, *here), name, provision["version"])
            if contract is not None and contract.kind != "query":
                self._mistake(
                    (*here, "contract"),
                    Text(f"{name} không phải hợp đồng truy vấn", f"{name} is not a query"),
                    Text('Chỉ khai báo hợp đồng có kind = "query".', 'Name a contract of kind "query".'),
                )

    def _secret_hash(self) -> str | None:
        """The hash of the client secret; the stored one where it still fits, so that nothing seems changed."""
        secret = self._secret("secret_file") if "secret_file" in self.system else None
        if secret is None:
            return None
        stored = self.reading.hashes.get(self.name)
        return stored if stored is not None and is_secret(stored, secret) else hash_secret(secret)

    def _secret(self, key: str) -> bytes | None:
        """A shared secret less the line end after it; None where it cannot be used (the mistake is noted)."""
        written = str(self.system[key])
        try:
            with (self.reading.settings.folder / written).open("rb") as file:
                secret = file.read(_MAX_SECRET + 3).rstrip(b"\r\n")
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._mistake(
                (key,),
                Text(f"Không đọc được tệp bí mật {written} ({reason})", f"{written} cannot be read ({reason})"),
                Text(
                    f"Hãy tạo tệp, ví dụ: openssl rand -hex 32 > {written}, rồi cấp quyền đọc cho người chạy lgsp.",
                    f"Make it, for example: openssl rand -hex 32 > {written}, readable for whoever runs lgsp.",
                ),
            )
            return None
        if not 1 <= len(secret) <= _MAX_SECRET:
            self._mistake(
                (key,),
                Text(f"Tệp bí mật {written} rỗng hoặc dài quá 1024 byte", f"{written} is empty or over 1024 bytes"),
                Text(
                    f"Hãy tạo lại: openssl rand -hex 32 > {written}", f"Make it anew: openssl rand -hex 32 > {written}"
                ),
            )
            return None
        if len(secret) < _SHORT_SECRET:
            self._warn(
                (key,), "Bí mật ngắn hơn 16 ký tự, dễ bị dò ra.", "The secret is under 16 characters: guessable."
            )
        return secret


def _seconds(text: str) -> float:
    """A duration whose form the schema has judged."""
    return parse_duration(text) or 0.0
