"""A crowd on a FastAGI port that does everything but call: ``python -m tests.crowd PORT``, until the last is let go."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

SIZE = 1000
HEADER = b"agi_network: yes\nagi_network_script: service\nagi_uniqueid: tel-9.9\n\n"
LONGEST_S = 20


async def bad(port: int, kind: int) -> None:
    """One of the ways not to call; what holds on is let go of by the other side."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return
    try:
        match kind % 8:
            case 0:  # comes and goes
                pass
            case 1:  # never ends its header
                writer.write(HEADER[:-1])
                await asyncio.wait_for(reader.read(), LONGEST_S)
            case 2:  # a header of ten megabytes
                for _ in range(160):
                    writer.write(b"y" * 65536)
                    await writer.drain()
                await asyncio.wait_for(reader.read(), LONGEST_S)
            case 3:  # closes its half
                writer.write(HEADER[:30])
                writer.write_eof()
                await asyncio.wait_for(reader.read(), LONGEST_S)
            case 4:  # a drip
                for byte in HEADER[:12]:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0.5)
                await asyncio.wait_for(reader.read(), LONGEST_S)
            case 5:  # wrong door
                writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                await asyncio.wait_for(reader.read(), LONGEST_S)
            case 6:  # resets
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.write(HEADER)
                writer.transport.abort()
            case 7:  # talks out of turn, and goes on
                writer.write(HEADER + b"200 result=0\n" * 500)
                await asyncio.wait_for(reader.read(), LONGEST_S)
    except OSError:
        pass
    finally:
        writer.close()


async def crowd(port: int) -> None:
    await asyncio.gather(*(bad(port, number) for number in range(SIZE)))


if __name__ == "__main__":
    asyncio.run(crowd(int(sys.argv[1])))
