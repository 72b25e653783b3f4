"""What each class of failure means in plain words, and who must do what next."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.core.faults import Text


class Explanation(NamedTuple):
    """Two sentences for people: what happened, and the next step with who takes it."""

    meaning: Text
    next_step: Text


_REPLAY: Final = Text("Sau đó chuyển lại nhóm này: lgsp replay NHÓM.", "Then replay this group: lgsp replay GROUP.")


def _then_replay(vi: str, en: str) -> Text:
    return Text(f"{vi} {_REPLAY.vi}", f"{en} {_REPLAY.en}")


#: Class -> its explanation. The names are public (``--cause``, the operator API) and never change.
EXPLANATIONS: Final[dict[str, Explanation]] = {
    "refused": Explanation(
        Text(
            "Phần mềm bên nhận đã đọc và từ chối thông điệp.",
            "The recipient's software read the message and refused it.",
        ),
        _then_replay(
            "Hỏi đơn vị nhận lý do; nếu dữ liệu sai thì bên gửi gửi thông điệp mới và loại bỏ nhóm này; nếu phần mềm"
            " bên nhận sai thì họ sửa.",
            "Ask the recipient why. Where the data is wrong, the sender sends a new message and this group is"
            " discarded; where the recipient's software is wrong, they mend it.",
        ),
    ),
    "signature": Explanation(
        Text(
            "Trục giữ lại vì chữ ký trong tệp kèm theo có vấn đề, và đơn vị nhận muốn như vậy (signatures = block).",
            "The bus withheld it: a signature inside a file is bad, and the recipient wants such messages kept away"
            " (signatures = block).",
        ),
        _then_replay(
            "Xem tệp: lgsp inspect SHA256. Nếu văn bản sai thì bên gửi ký lại và gửi thông điệp mới; nếu trust/ thiếu"
            " chứng thư gốc hoặc CRL thì bổ sung rồi chạy lgsp inspect SHA256 --again.",
            "Look at the file: lgsp inspect SHA256. Where the document is wrong, the sender signs it anew and sends a"
            " new message; where trust/ lacks a root or a list, add it and run lgsp inspect SHA256 --again.",
        ),
    ),
    "too-large": Explanation(
        Text("Bên nhận không nhận thông điệp lớn như vậy (413).", "The message is too large for the recipient (413)."),
        _then_replay(
            "Quản trị viên bên nhận nâng giới hạn kích thước của máy chủ (với AMQP: largest trong tệp của cơ quan).",
            "The recipient's administrator raises the size limit of their server (AMQP: largest in the agency's file).",
        ),
    ),
    "queue-full": Explanation(
        Text(
            "Hàng đợi RabbitMQ của bên nhận không nhận thêm: đã đầy vì bên nhận không đến lấy kịp.",
            "The recipient's queue at RabbitMQ takes no more: it is full, as the recipient fetches too little.",
        ),
        _then_replay(
            "Gọi đơn vị nhận: phần mềm lấy thông điệp có chạy và có xác nhận (ack) không. Nếu hàng đợi chưa đầy, quản"
            " trị viên trục kiểm tra các nút của RabbitMQ.",
            "Call the recipient: does its consumer run, and does it acknowledge? Where the queue is not full, the"
            " administrator of the bus looks at RabbitMQ's nodes.",
        ),
    ),
    "broker": Explanation(
        Text(
            "Trục không đặt được thông điệp vào hàng đợi RabbitMQ của bên nhận.",
            "The bus could not put the message into the recipient's queue at RabbitMQ.",
        ),
        _then_replay(
            "Quản trị viên trục kiểm tra RabbitMQ có chạy không, [broker] url và quyền của tài khoản; chạy lgsp apply.",
            "The administrator of the bus checks that RabbitMQ runs, [broker] url and its user's rights; lgsp apply.",
        ),
    ),
    "unsupported": Explanation(
        Text("Bên nhận không nhận kiểu nội dung này (415).", "The recipient does not take this media type (415)."),
        _then_replay(
            "Kiểm tra format của đăng ký trong tệp của cơ quan (jws hay cloudevents) với nhà phát triển bên nhận.",
            "Check the format (jws or cloudevents) in the agency's file with the recipient's developers.",
        ),
    ),
    "untranslatable": Explanation(
        Text(
            "Không dịch được thông điệp sang phiên bản mà bên nhận đăng ký.",
            "The message cannot be translated into the version that the recipient subscribes to.",
        ),
        _then_replay(
            "Quản trị viên hợp đồng dữ liệu sửa quy tắc up.json/down.json, hoặc đổi phiên bản đăng ký của bên nhận.",
            "The owner of the contract mends up.json/down.json, or the recipient subscribes to another version.",
        ),
    ),
    "unwritable": Explanation(
        Text(
            "Định dạng của bên nhận không diễn đạt được thông điệp này.",
            "The recipient's format has no way to say this message.",
        ),
        _then_replay(
            "Đổi đăng ký của bên nhận sang loại hoặc phiên bản mà hệ thống đó đọc được.",
            "Change the recipient's subscription to a contract or version that its system can read.",
        ),
    ),
    "unauthorised": Explanation(
        Text(
            "Máy chủ bên nhận đòi xác thực hoặc chặn trục (401, 403).",
            "The recipient's server asks for credentials or shuts the bus out (401, 403).",
        ),
        _then_replay(
            "Quản trị viên bên nhận mở quyền cho địa chỉ của trục, hoặc kiểm tra khoá chữ ký webhook.",
            "The recipient's administrator lets the bus in, or checks the webhook signature's key.",
        ),
    ),
    "not-found": Explanation(
        Text(
            "Địa chỉ nhận không tồn tại trên máy chủ bên nhận (404, 405).",
            "The receiving address does not exist on the recipient's server (404, 405).",
        ),
        _then_replay(
            "Đối chiếu url trong tệp của cơ quan với bên nhận, sửa rồi chạy lgsp apply.",
            "Compare the url in the agency's file with the recipient, mend it and run lgsp apply.",
        ),
    ),
    "gone": Explanation(
        Text(
            "Bên nhận yêu cầu ngừng chuyển đến địa chỉ này (410); nơi nhận đã được tạm giữ.",
            "The recipient asks for no more deliveries here (410); the destination is on hold.",
        ),
        Text(
            "Hỏi bên nhận địa chỉ mới, sửa tệp của cơ quan, lgsp apply, rồi mở lại: lgsp release NƠI_NHẬN.",
            "Ask the recipient for the new address, mend the agency's file, lgsp apply, then lgsp release SYSTEM.",
        ),
    ),
    "busy": Explanation(
        Text(
            "Máy chủ bên nhận báo quá tải hoặc đang bảo trì (429, 503).",
            "The recipient's server says that it is overloaded or under maintenance (429, 503).",
        ),
        _then_replay(
            "Chờ bên nhận sẵn sàng; khi chuyển lại hãy chọn tốc độ thấp (--rate).",
            "Wait until the recipient is ready; replay slowly (--rate).",
        ),
    ),
    "server-error": Explanation(
        Text("Máy chủ bên nhận gặp lỗi bên trong (5xx).", "The recipient's server failed inside (5xx)."),
        _then_replay(
            "Báo quản trị viên bên nhận kèm mã lượt chuyển và thời điểm để họ xem nhật ký máy chủ.",
            "Give the recipient's administrator a delivery id and its time, to look into their server's log.",
        ),
    ),
    "redirected": Explanation(
        Text(
            "Máy chủ bên nhận chuyển hướng sang địa chỉ khác (3xx); trục không đi theo.",
            "The recipient's server redirects elsewhere (3xx); the bus never follows.",
        ),
        _then_replay(
            "Ghi thẳng địa chỉ cuối cùng vào tệp của cơ quan rồi chạy lgsp apply.",
            "Write the final address into the agency's file and run lgsp apply.",
        ),
    ),
    "odd-answer": Explanation(
        Text("Máy chủ bên nhận trả lời ngoài dự kiến.", "The recipient's server gave an answer nobody expects."),
        _then_replay(
            "Cùng nhà phát triển bên nhận xem mã trả lời trong lgsp status.",
            "Look at the status in lgsp status together with the recipient's developers.",
        ),
    ),
    "timeout": Explanation(
        Text(
            "Bên nhận không trả lời kịp; có thể họ đã nhận mà chưa kịp báo.",
            "The recipient did not answer in time; it may have taken the message without saying so.",
        ),
        _then_replay(
            "Kiểm tra đường truyền và tải của máy chủ bên nhận; bên nhận phải bỏ qua bản trùng theo mã lượt chuyển.",
            "Check the line and the load of the recipient's server; it must drop repeats by the delivery id.",
        ),
    ),
    "connection-refused": Explanation(
        Text(
            "Không kết nối được: máy chủ bên nhận tắt, sai cổng hoặc bị tường lửa chặn.",
            "No connection: the recipient's server is down, the port is wrong, or a firewall is in between.",
        ),
        _then_replay(
            "Kiểm tra máy chủ bên nhận có chạy không, cổng trong url và tường lửa giữa hai bên.",
            "Check that the recipient's server runs, the port in the url, and the firewalls on the way.",
        ),
    ),
    "connection-broken": Explanation(
        Text("Kết nối bị đứt giữa chừng.", "The connection broke while the message was handed over."),
        _then_replay(
            "Kiểm tra đường truyền và máy chủ trung gian (proxy) của bên nhận.",
            "Check the line and the recipient's proxies.",
        ),
    ),
    "name-unknown": Explanation(
        Text("Không phân giải được tên máy chủ bên nhận (DNS).", "The name of their server is not known (DNS)."),
        _then_replay(
            "Kiểm tra tên máy trong url và máy chủ DNS mà trục dùng.",
            "Check the host in the url and the name server that the bus uses.",
        ),
    ),
    "tls": Explanation(
        Text(
            "Không thiết lập được kết nối an toàn: chứng thư máy chủ bên nhận hết hạn, sai tên hoặc không tin cậy.",
            "No secure connection: the server certificate has expired, names another host, or is not trusted.",
        ),
        _then_replay(
            "Quản trị viên bên nhận thay chứng thư máy chủ (TLS).",
            "The recipient's administrator replaces the server certificate (TLS).",
        ),
    ),
    "address-refused": Explanation(
        Text(
            "Chính sách của trục không cho gọi địa chỉ này.",
            "The policy of the bus does not allow calls to this address.",
        ),
        _then_replay(
            "Quản trị viên trục kiểm tra url trong tệp của cơ quan và chính sách địa chỉ.",
            "The administrator of the bus checks the url in the agency's file and the policy on addresses.",
        ),
    ),
    "folder": Explanation(
        Text("Không ghi được vào thư mục của bên nhận.", "The recipient's folder cannot be written."),
        _then_replay(
            "Kiểm tra quyền ghi, dung lượng và kết nối của thư mục dùng chung.",
            "Check the right to write, the free space and the mount of the shared folder.",
        ),
    ),
    "file-damaged": Explanation(
        Text("Tệp đính kèm trong kho của trục thiếu hoặc hỏng.", "An attachment in the spool is missing or damaged."),
        _then_replay(
            "Quản trị viên trục khôi phục tệp từ bản sao lưu (tên tệp là mã SHA-256).",
            "The administrator of the bus restores the file from the backup (it is named by its SHA-256).",
        ),
    ),
    "unregistered": Explanation(
        Text("Hệ thống nhận không còn trong danh mục.", "The receiving system is no longer registered."),
        Text(
            "Khai báo lại hệ thống (lgsp apply) rồi chuyển lại, hoặc loại bỏ: lgsp discard NHÓM.",
            "Register the system again (lgsp apply) and replay, or discard: lgsp discard GROUP.",
        ),
    ),
    "unfetched": Explanation(
        Text("Bên nhận chưa đến lấy thông điệp.", "The recipient does not fetch its messages."),
        Text(
            "Gọi đơn vị nhận: phần mềm lấy thư có chạy không, khoá và chứng thư còn hạn không. Không cần chuyển lại.",
            "Call the recipient: does its software run, is its key or certificate still good? Nothing needs a replay.",
        ),
    ),
    "waiting": Explanation(
        Text("Đã chờ lâu mà chưa chuyển lần nào.", "It has waited long and was never tried."),
        Text(
            "Kiểm tra trục có đang chạy và nơi nhận có đang bị tạm ngừng thử (ngắt mạch) không.",
            "Check that the gateway runs, and whether the destination is being probed because it was down.",
        ),
    ),
    "lapsed": Explanation(
        Text(
            "Bên nhận lấy thông điệp rồi không xác nhận trong thời gian giữ.",
            "The recipient took the message in hand and never settled it.",
        ),
        Text(
            "Nhà phát triển bên nhận kiểm tra bước xác nhận (settle). Trục tự giao lại, không cần chuyển lại.",
            "The recipient's developers check their settle step. The bus hands it out again by itself.",
        ),
    ),
    "poison": Explanation(
        Text(
            "Lần thử nào cũng dừng giữa chừng cùng với trục; có thể chính thông điệp này làm trục dừng.",
            "Each try ended together with the gateway; perhaps this very message is what ends it.",
        ),
        _then_replay(
            "Báo cho nhà phát triển trục, kèm mã lượt chuyển và nhật ký quanh các lần thử; trục đã ngừng thử để các"
            " thông điệp khác đi tiếp.",
            "Tell the developers of the bus, with a delivery id and the log around its tries; the bus stopped trying so"
            " that other messages get through.",
        ),
    ),
    "leased-long": Explanation(
        Text("Thời gian giữ đã hết mà chưa ai thu hồi.", "Its lease ended and nobody took it back."),
        Text(
            "Kiểm tra trục có đang chạy không (lgsp serve) và đồng hồ máy chủ có đúng không.",
            "Check that the gateway runs (lgsp serve) and that the server's clock is right.",
        ),
    ),
    "held": Explanation(
        Text("Nơi nhận đang được tạm giữ.", "The destination is on hold."),
        Text(
            "Khi sự cố đã xử lý, mở lại: lgsp release NƠI_NHẬN. Không cần chuyển lại.",
            "When the trouble is over: lgsp release SYSTEM. Nothing needs a replay.",
        ),
    ),
    "behind-dead": Explanation(
        Text(
            "Đang chờ một lượt chuyển trước cùng hồ sơ đã hỏng.",
            "It waits behind an earlier delivery of the same subject that is dead.",
        ),
        Text(
            "Xử lý lượt đứng trước (chuyển lại hoặc loại bỏ); các lượt sau tự đi tiếp theo thứ tự.",
            "Deal with the one in front (replay or discard); those behind go on by themselves, in order.",
        ),
    ),
    "behind-held": Explanation(
        Text(
            "Đang chờ một lượt chuyển trước cùng hồ sơ bị tạm giữ.",
            "It waits behind an earlier delivery of the same subject that is held.",
        ),
        Text("Mở lại nơi nhận: lgsp release NƠI_NHẬN.", "Release the destination: lgsp release SYSTEM."),
    ),
    "deadline": Explanation(
        Text("Đã hết thời hạn thử lại.", "The time for retries is over."),
        _then_replay("Kiểm tra nơi nhận đã hoạt động lại.", "Check that the destination works again."),
    ),
    "attempts": Explanation(
        Text("Đã hết số lần thử.", "All attempts are used up."),
        _then_replay("Kiểm tra nơi nhận đã hoạt động lại.", "Check that the destination works again."),
    ),
    "unforeseen": Explanation(
        Text("Bộ chuyển đổi gặp lỗi ngoài dự kiến.", "The adapter met something unforeseen."),
        _then_replay(
            "Gửi mã lượt chuyển cho nhà phát triển trục; chi tiết nằm trong nhật ký, sự kiện adapter.failed.",
            "Give a delivery id to the developers of the bus; the log has the details under adapter.failed.",
        ),
    ),
    "unknown": Explanation(
        Text("Không rõ nguyên nhân.", "The cause is not known."),
        _then_replay("Xem từng lần thử bằng lgsp status MÃ.", "Look at each attempt with lgsp status ID."),
    ),
}
