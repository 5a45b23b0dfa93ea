"""A process that takes a lock, says whether it has it, and holds it until it is killed."""

import sys

import anyio

from recontact_tools.ledger.locks import SessionLocks


async def main(url: str, schema: str, name: str) -> None:
    locks = SessionLocks(url, schema)
    sys.stdout.write(f"{await locks.take(name)}\n")
    sys.stdout.flush()
    await anyio.sleep_forever()


if __name__ == "__main__":
    url, schema, name = sys.argv[1:]
    anyio.run(main, url, schema, name)
