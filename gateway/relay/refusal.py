"""Why the front door refuses what the judge would let pass: who may have it sealed, ids taken, files not held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.directory import Directory, System
from gateway.core.envelope import refuse_gateway_attributes
from gateway.core.faults import Rejected, Text


def check_sealing(system: System, members: Mapping[str, Any], directory: Directory) -> None:
    """Raises Rejected where the bus may not sign this event for ``system``."""
    source = members.get("source")
    named = directory.system(source) if isinstance(source, str) else None
    if system.sealing != "gateway" or (isinstance(source, str) and (named is None or named.name != system.name)):
        raise Rejected(
            "sealing-not-allowed",
            Text(
                "Trục chỉ ký thay cho chính hệ thống đã xác thực và được đăng ký sealing = gateway."
                " Bên gửi tự ký phong bì hoặc đề nghị đơn vị vận hành đăng ký.",
                "The bus signs only for the authenticated system itself, registered with sealing = gateway."
                " The sender must sign the envelope, or ask the operator for that registration.",
            ),
        )
    refuse_gateway_attributes(members)


def conflict(id: str) -> Rejected:
    """The id is taken by another message."""
    return Rejected(
        "conflict",
        Text(
            f"Mã {id} đã dùng cho một thông điệp khác. Bên gửi tạo mã mới cho thông điệp mới.",
            f"The id {id} is taken by another message. The sender must make a new id for a new message.",
        ),
    )


def missing(digests: Sequence[str]) -> Rejected:
    """Files that are not held, or that the sender may not name."""
    listed = ", ".join(digests[:10])
    return Rejected(
        "missing-file",
        Text(
            f"Trục không giữ, hoặc bên gửi không được nêu các tệp: {listed}. Bên gửi tải tệp lên trước rồi gửi lại.",
            f"These files are not held, or the sender may not name them: {listed}. The sender must upload them first.",
        ),
    )
