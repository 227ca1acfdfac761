"""How good a line is to the ear, from what was measured of it. Pure."""

from __future__ import annotations

PACKET_MS = 20
BPL = 25.1  # how well G.711 with concealment bears loss: ITU-T G.113 appendix I
CLEAN = 93.2  # R of a line without loss or delay: ITU-T G.107, all other parameters at their defaults


def mos(loss: float, jitter_ms: float, rtt_ms: float) -> float:
    """Mean opinion score, 1 to 4.4 for G.711, by the E-model; ``loss`` is a share, 0 to 1.

    R = 93.2 − Id − Ie,eff (ITU-T G.107, 2015). Delay: Id = 0.024 d + 0.11 (d − 177.3) where d exceeds 177.3 ms (Cole,
    Rosenbluth 2001), d being half the round trip, a packet, and a buffer of twice the jitter. Loss, taken as random:
    Ie,eff = 95 · P / (P + Bpl) with P in percent (G.107 eq. 7-29, Ie = 0). Score from R: G.107 annex B.
    """
    if loss >= 1:
        return 1.0  # the formula is for losses one can still hear between
    delay_ms = rtt_ms / 2 + PACKET_MS + 2 * jitter_ms
    by_delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    percent = 100 * min(1.0, max(0.0, loss))
    r = CLEAN - by_delay - 95 * percent / (percent + BPL)
    if r <= 0:
        return 1.0
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
