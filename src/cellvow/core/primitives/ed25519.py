"""Ed25519 verification (RFC 8032) in plain Python, for verifiers that may use the standard library alone.

The rule is the ledger's: cofactorless; S < L; A and R in canonical encoding and not of small order.
`signature` enforces the same rule with libsodium; the edge-case vectors hold both to it.
"""

import hashlib
from functools import cache

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]  # extended coordinates X, Y, Z, T with XY = ZT
_IDENTITY: _Point = (0, 1, 1, 0)


def is_valid(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) of `message` holds under `public_key` (32 bytes)."""
    if len(public_key) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    a, r = _decode(public_key), _decode(signature[:32])
    if s >= _L or a is None or r is None or _has_small_order(a) or _has_small_order(r):
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public_key + message).digest(), "little") % _L
    return _encode(_double_scalar(s, h, _negate(a))) == signature[:32]


def is_valid_public_key(public_key: bytes) -> bool:
    """Whether the bytes encode a point of the prime-order group, canonically; only such keys are registered."""
    point = _decode(public_key) if len(public_key) == 32 else None
    if point is None or _has_small_order(point):
        return False
    return _is_identity(_multiply(_L, point))


def _add(p: _Point, q: _Point) -> _Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _double(p: _Point) -> _Point:
    a, b, c = p[0] * p[0], p[1] * p[1], 2 * p[2] * p[2]
    h = a + b
    e = h - (p[0] + p[1]) ** 2
    g = a - b
    f = c + g
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _negate(p: _Point) -> _Point:
    return -p[0] % _P, p[1], p[2], -p[3] % _P


def _is_identity(p: _Point) -> bool:
    return p[0] == 0 and p[1] == p[2]


def _has_small_order(p: _Point) -> bool:
    return _is_identity(_double(_double(_double(p))))


def _multiply(k: int, p: _Point) -> _Point:
    result = _IDENTITY
    for bit in range(k.bit_length() - 1, -1, -1):
        result = _double(result)
        if k >> bit & 1:
            result = _add(result, p)
    return result


def _recover_x(y: int, sign: int) -> int | None:
    numerator, denominator = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x_squared = numerator * pow(denominator, -1, _P) % _P
    x = pow(x_squared, (_P + 3) // 8, _P)
    if (x * x - x_squared) % _P:
        x = x * _SQRT_M1 % _P
    if (x * x - x_squared) % _P or (x == 0 and sign):
        return None
    return _P - x if x & 1 != sign else x


def _decode(encoded: bytes) -> _Point | None:
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    x = _recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % _P)


def _encode(p: _Point) -> bytes:
    inverse = pow(p[2], -1, _P)
    x, y = p[0] * inverse % _P, p[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _multiples(p: _Point) -> list[_Point]:
    table = [_IDENTITY]
    for _ in range(15):
        table.append(_add(table[-1], p))
    return table


@cache
def _base_multiples() -> list[_Point]:
    y = 4 * pow(5, -1, _P) % _P
    x = _recover_x(y, 0) or 0
    return _multiples((x, y, 1, x * y % _P))


def _double_scalar(s: int, h: int, a: _Point) -> _Point:
    base, other = _base_multiples(), _multiples(a)
    result = _IDENTITY
    for shift in range(252, -4, -4):
        if shift != 252:
            result = _double(_double(_double(_double(result))))
        result = _add(result, base[s >> shift & 15])
        result = _add(result, other[h >> shift & 15])
    return result
