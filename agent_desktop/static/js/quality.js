// How a line sounds, from what was measured of it: the server's cti/quality.py has the sources of the formula.

const PACKET_MS = 20;
const BPL = 25.1;
const LONGEST_MS = 60000; // after a change of bridges a browser may tell of hours

/** Mean opinion score, 1 to 4.4; loss is a share, 0 to 1. */
export function mos(loss, jitter_ms, rtt_ms) {
  if (loss >= 1) return 1;
  const delay_ms = rtt_ms / 2 + PACKET_MS + 2 * jitter_ms;
  const percent = 100 * Math.max(0, loss);
  const r = 93.2 - 0.024 * delay_ms - 0.11 * Math.max(0, delay_ms - 177.3) - 95 * percent / (percent + BPL);
  return r <= 0 ? 1 : Math.max(1, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6);
}

/** What a connection has received until now, of sound: { packets, lost, jitter_ms, rtt_ms }, or null. */
export async function received(connection) {
  let sound = null;
  let rtt_s = 0;
  for (const row of (await connection.getStats()).values()) {
    if (row.type === "inbound-rtp" && row.kind === "audio") sound = row;
    if (row.type === "candidate-pair" && row.nominated && row.currentRoundTripTime) rtt_s = row.currentRoundTripTime;
    if (row.type === "remote-inbound-rtp" && row.roundTripTime) rtt_s = row.roundTripTime;
  }
  return sound && { packets: sound.packetsReceived ?? 0, lost: Math.max(0, sound.packetsLost ?? 0), jitter_ms: Math.min((sound.jitter ?? 0) * 1000, LONGEST_MS), rtt_ms: Math.min(rtt_s * 1000, LONGEST_MS) };
}
