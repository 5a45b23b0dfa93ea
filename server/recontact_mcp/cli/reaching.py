"""Whether anybody listens somewhere: what tells a wrong address from a wrong password."""

import anyio

# ours: a connection takes milliseconds; a firewall that swallows it would take minutes.
SECONDS = 3.0


async def is_reachable(host: str, port: int) -> bool:
    """Tell whether a connection can be made; nothing is sent."""
    try:
        with anyio.fail_after(SECONDS):
            stream = await anyio.connect_tcp(host, port)
        await stream.aclose()
    except (OSError, TimeoutError):
        return False
    return True
