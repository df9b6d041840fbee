"""asyncssh against an SFTP server: its trees, links, files and commands.

Arguments: port, user, private key, known hosts, a local tree to send, a local
directory to make for what comes back, an existing remote directory.
"""

import asyncio
import hashlib
import os
import sys

import asyncssh


async def fails(kind, call):
    try:
        await call
    except kind:
        return
    raise AssertionError("%r does not fail" % (call,))


async def use_links(sftp, base):
    """It chooses the order of SYMLINK's arguments by the server's version."""
    for text in ("points/here", "/no/such/place", "\u00e9 \u4e2d"):
        await sftp.symlink(text, base + "/link")
        assert os.readlink(base + "/link") == text
        assert await sftp.readlink(base + "/link") == text
        assert await sftp.lexists(base + "/link")
        assert not await sftp.exists(base + "/link")
        await sftp.unlink(base + "/link")


async def use_files(sftp, base):
    data = os.urandom(3000000)
    async with sftp.open(base + "/f", "wb") as new:
        await new.write(data[:2000000])
        await new.write(data[2000000:])
    async with sftp.open(base + "/f", "rb") as old:
        assert await old.read() == data
        assert await old.read(5000, 1234567) == data[1234567:1239567]
        assert (await old.stat()).size == len(data)
    async with sftp.open(base + "/f", "ab") as end:
        await end.write(b"end")
    assert (await sftp.stat(base + "/f")).size == len(data) + 3
    await sftp.truncate(base + "/f", 1000)
    await sftp.chmod(base + "/f", 0o640)
    await sftp.utime(base + "/f", (1, 2))
    info = os.stat(base + "/f")
    assert (info.st_size, info.st_mode & 0o777, int(info.st_mtime)) == \
        (1000, 0o640, 2)
    await sftp.link(base + "/f", base + "/g")
    assert os.stat(base + "/g").st_nlink == 2
    await fails(asyncssh.SFTPFailure, sftp.rename(base + "/g", base + "/f"))
    await sftp.posix_rename(base + "/g", base + "/h")
    assert sorted(os.listdir(base)) == ["f", "h", "tree"]
    assert (await sftp.statvfs(base)).bsize > 0
    await sftp.remove(base + "/f")
    await sftp.remove(base + "/h")
    await fails(asyncssh.SFTPNoSuchFile, sftp.stat(base + "/f"))


async def use_commands(connection):
    """What a shell and csftpd have both."""
    said = await connection.run("echo a b")
    assert (said.stdout, said.exit_status) == ("a b\n", 0)
    text = "x" * 300000
    said = await connection.run("sha256sum", input=text)
    assert said.stdout.split()[0] == \
        hashlib.sha256(text.encode()).hexdigest()
    assert (await connection.run("no-such-command")).exit_status == 127


async def use_connection(connection, tree, back, base):
    async with connection.start_sftp_client() as sftp:
        assert await sftp.realpath(".") == base
        await sftp.put(tree, base + "/tree", preserve=True, recurse=True)
        await sftp.get(base + "/tree", back, preserve=True, recurse=True)
        await use_links(sftp, base)
        await use_files(sftp, base)
    await use_commands(connection)


async def main(port, user, key, known_hosts, tree, back, base):
    options = dict(port=int(port), username=user, client_keys=[key],
                   known_hosts=known_hosts, agent_path=None, config=None)
    # New keys while files are on their way; and without an AEAD.
    for more in (dict(rekey_bytes=1 << 20),
                 dict(encryption_algs=["aes256-ctr"],
                      mac_algs=["hmac-sha2-256"])):
        async with asyncssh.connect("127.0.0.1", **options, **more) as at:
            if "mac_algs" in more:
                await use_commands(at)
            else:
                await use_connection(at, tree, back, base)


asyncio.run(main(*sys.argv[1:]))
