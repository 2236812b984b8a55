"""Asks a Doorward sidecar whether an S3 request may pass.

    with Sidecar() as sidecar:
        answer = sidecar.check("GET", "/bucket/key", headers, remote="192.0.2.1")
        if not answer.allowed:
            refuse(answer.status, answer.code, answer.message)

The protocol is described in docs/protocol.md. A Sidecar is for one thread at a
time; it reconnects by itself. Errors are exceptions: none of them is an allow.
"""

import socket
import struct

MAGIC = b"DWRD"
VERSION = 1
DEFAULT_SOCKET = "/run/doorward/sidecar.sock"

HELLO, CHECK = 0x01, 0x02
WELCOME, CHECK_ANSWER, REFUSAL = 0x81, 0x82, 0xFF
ALLOW, DENY, NEED = 1, 2, 3

_HEADER = struct.Struct(">IBBHI")  # length, type, flags, items, correlation id
_FIXED = struct.Struct(">BBHQIII")  # decision, flags, status, index, staleness, uid, gid
_TEXTS = ("message", "principal", "account", "user", "access_key", "session",
          "action", "resource", "policy", "statement", "needs")
_MAX_ANSWER = 16 << 20
_MAX_ITEMS = 1024


class SidecarError(Exception):
    """The sidecar could not be asked, or broke the protocol."""


class Answer:
    """A decision and its reason; see docs/protocol.md for the fields."""

    __slots__ = ("decision", "status", "index", "staleness", "each", "posix", "code") + _TEXTS

    def __init__(self, item):
        decision, flags, status, index, staleness, uid, gid = _FIXED.unpack_from(item)
        self.decision, self.status, self.index, self.staleness = decision, status, index, staleness
        self.posix = (uid, gid) if flags & 1 else None
        self.each = bool(flags & 2)  # about one object of a list, see check_each
        self.code, at = _text(item, _FIXED.size)
        for name in _TEXTS:
            value = ""
            if at < len(item):
                value, at = _text(item, at)
            setattr(self, name, value)

    @property
    def allowed(self):
        return self.decision == ALLOW

    def __repr__(self):
        word = {ALLOW: "ALLOW", DENY: "DENY", NEED: "NEED"}.get(self.decision, "invalid")
        return "<Answer %s %d %s>" % (word, self.status, self.code)


class Sidecar:
    """A connection to the sidecar of this host."""

    def __init__(self, path=DEFAULT_SOCKET, name="python", timeout=5.0):
        self._path, self._name, self._timeout = path, name, timeout
        self._socket, self._id = None, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def check(self, method, target, headers, **more):
        """Asks about one request as it was received.

        target is the request-target byte for byte; headers are (name, value)
        pairs in the order received, Host among them. For more see encode_check.
        """
        return self.check_all([encode_check(method, target, headers, **more)])[0]

    def check_all(self, questions):
        """Asks questions made with encode_check; the answers are in their order."""
        if not 0 < len(questions) <= _MAX_ITEMS:
            raise ValueError("want 1 to %d questions" % _MAX_ITEMS)
        answers = self._ask(questions)
        if len(answers) != len(questions):
            self.close()
            raise SidecarError("sidecar answered something else")
        return answers

    def check_each(self, method, target, headers, body, **more):
        """Asks about a multi-object delete: an answer for each object of the list, in
        its order, whose each is true. If the request is refused as a whole, there is
        one answer whose each is false; it stands for all objects.
        """
        return self._ask([encode_check(method, target, headers, body=body, each=True, **more)])

    def _ask(self, questions):
        body = b"".join(questions)
        try:
            kind, items, answer = self._round(CHECK, len(questions), body)
        except (OSError, SidecarError):
            # The sidecar may have been restarted; to ask again changes nothing.
            self.close()
            try:
                kind, items, answer = self._round(CHECK, len(questions), body)
            except SidecarError:
                self.close()
                raise
            except OSError as error:
                self.close()
                raise SidecarError("sidecar at %s: %s" % (self._path, error)) from error
        if kind == REFUSAL:
            raise SidecarError("sidecar refused: " + _text(answer, 2)[0])
        if kind != CHECK_ANSWER or not items:
            self.close()
            raise SidecarError("sidecar answered something else")
        try:
            return list(_answers(answer, items))
        except (struct.error, IndexError) as error:
            self.close()
            raise SidecarError("sidecar's answer ends early") from error

    def _round(self, kind, items, body):
        if self._socket is None:
            self._connect()
        self._id = (self._id + 1) & 0xFFFFFFFF
        self._socket.sendall(_HEADER.pack(len(body), kind, 0, items, self._id) + body)
        while True:
            got, items, ident, answer = self._read()
            if ident == self._id:
                return got, items, answer

    def _connect(self):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(self._timeout)
        self._socket.connect(self._path)
        hello = MAGIC + struct.pack(">HHQ", VERSION, VERSION, 0) + _string(self._name)
        self._socket.sendall(_HEADER.pack(len(hello), HELLO, 0, 0, 0) + hello)
        kind, _, _, answer = self._read()
        if kind != WELCOME:
            raise SidecarError("sidecar does not speak version %d" % VERSION)

    def _read(self):
        length, kind, _, items, ident = _HEADER.unpack(self._exactly(_HEADER.size))
        if length > _MAX_ANSWER:
            raise SidecarError("answer of %d bytes" % length)
        return kind, items, ident, self._exactly(length)

    def _exactly(self, count):
        parts = []
        while count:
            part = self._socket.recv(min(count, 1 << 16))
            if not part:
                raise SidecarError("sidecar closed the connection")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def encode_check(method, target, headers, remote="", tls=0, min_index=0, body_sum=None, body=None,
                 bucket_account="", bucket_policy="", facts=(), each=False):
    """Makes a question for check_all.

    remote is the client's address as the server sees it; tls is 0 for plain
    HTTP, 12, 13, or 1 for another version. body_sum is the SHA-256 of a body that
    has been read, body the body itself where its content matters (DeleteObjects).
    """
    flags = (1 if body_sum is not None else 0) | (2 if body is not None else 0) | (4 if each else 0)
    item = b"".join((
        struct.pack(">QBB", min_index, tls, flags), body_sum or bytes(32),
        _string(method), _string(target), _string(remote), _pairs(headers),
        _string(bucket_account), _string(bucket_policy), _pairs(facts),
        struct.pack(">I", len(body or b"")), body or b"",
    ))
    return struct.pack(">I", len(item)) + item


def _bytes(value):
    # Header values are bytes on the wire; Python's servers hand them out as latin-1.
    return value if isinstance(value, bytes) else value.encode("latin-1" if value.isascii() or max(value) < "\u0100" else "utf-8")


def _string(value):
    raw = _bytes(value)
    return struct.pack(">H", len(raw)) + raw


def _pairs(pairs):
    pairs = list(pairs)
    return struct.pack(">H", len(pairs)) + b"".join(_string(n) + _string(v) for n, v in pairs)


def _text(data, at):
    (length,) = struct.unpack_from(">H", data, at)
    end = at + 2 + length
    if end > len(data):
        raise IndexError("text ends early")
    return data[at + 2:end].decode("utf-8", "replace"), end


def _answers(body, items):
    at = 0
    for _ in range(items):
        (length,) = struct.unpack_from(">I", body, at)
        at += 4
        if at + length > len(body):
            raise IndexError("answer ends early")
        yield Answer(body[at:at + length])
        at += length
