"""Paramiko against an SFTP server: everything that its client can.

Arguments: port, user, private key, known hosts, a local tree to send, a local
directory to make for what comes back, an existing remote directory.
"""

import errno
import hashlib
import os
import stat
import sys

import paramiko


def send(sftp, local, remote):
    """A tree with its links, modes and times."""
    for name in sorted(os.listdir(local)):
        here, there = os.path.join(local, name), remote + "/" + name
        info = os.lstat(here)
        if stat.S_ISLNK(info.st_mode):
            sftp.symlink(os.readlink(here), there)
            continue
        if stat.S_ISDIR(info.st_mode):
            sftp.mkdir(there)
            send(sftp, here, there)
        else:
            assert sftp.put(here, there).st_size == info.st_size
        sftp.chmod(there, stat.S_IMODE(info.st_mode))
        sftp.utime(there, (info.st_atime, int(info.st_mtime)))


def fetch(sftp, remote, local):
    os.mkdir(local)
    for info in sftp.listdir_attr(remote):
        here, there = os.path.join(local, info.filename), remote + "/" + \
            info.filename
        if stat.S_ISLNK(info.st_mode):
            os.symlink(sftp.readlink(there), here)
            continue
        if stat.S_ISDIR(info.st_mode):
            fetch(sftp, there, here)
        else:
            sftp.get(there, here)
        os.chmod(here, stat.S_IMODE(info.st_mode))
        os.utime(here, (info.st_atime, info.st_mtime))


def fails(code, call, *args):
    try:
        call(*args)
    except OSError as error:
        assert code in (None, error.errno), error
    else:
        raise AssertionError("%r does not fail" % (args,))


def use_files(sftp):
    """Open modes, seeks, pipelined and scattered reads and writes."""
    with sftp.open("f", "wx") as new:
        new.write(b"0123456789")
    fails(None, sftp.open, "f", "wx")
    with sftp.open("f", "r+") as both:
        both.seek(5)
        both.write(b"abc")
        both.seek(0)
        assert both.read() == b"01234abc89"
        both.truncate(7)
        assert both.stat().st_size == 7
        both.chmod(0o640)
        both.utime((1, 2))
    with sftp.open("f", "a") as end:
        end.write(b"end")
    with sftp.open("f", "rb") as whole:
        assert whole.readlines() == [b"01234abend"]
    info = sftp.stat("f")
    assert stat.S_IMODE(info.st_mode) == 0o640 and info.st_size == 10
    data = os.urandom(3000000)
    with sftp.open("g", "w") as fast:
        fast.set_pipelined(True)
        for at in range(0, len(data), 50000):
            fast.write(data[at:at + 50000])
    with sftp.open("g", "rb") as ahead:
        ahead.prefetch()
        assert ahead.read() == data
    with sftp.open("g", "rb") as parts:
        chunks = [(2999990, 10), (0, 100000), (1234567, 400000)]
        for (at, size), got in zip(chunks, parts.readv(chunks)):
            assert got == data[at:at + size]
        assert parts.check("md5") == hashlib.md5(data).digest()
        assert parts.check("sha1", 1000, 3000, 1500) == \
            hashlib.sha1(data[1000:2500]).digest() + \
            hashlib.sha1(data[2500:4000]).digest()
        fails(None, parts.check, "no-such-hash")
    sftp.truncate("g", 1000)
    assert sftp.stat("g").st_size == 1000


def use_names(sftp, base):
    assert sftp.normalize(".") == base
    sftp.mkdir("d", 0o700)
    assert stat.S_IMODE(sftp.stat("d").st_mode) == 0o700
    sftp.chdir("d")
    assert sftp.getcwd() == base + "/d"
    sftp.chdir(None)
    sftp.rename("f", "d/f")
    fails(None, sftp.rename, "g", "d/f")
    sftp.posix_rename("g", "d/f")
    assert sftp.stat("d/f").st_size == 1000
    sftp.symlink("d/f", "l")
    assert sftp.readlink("l") == "d/f"
    assert stat.S_ISLNK(sftp.lstat("l").st_mode)
    assert stat.S_ISREG(sftp.stat("l").st_mode)
    if os.geteuid() == 0:
        sftp.chown("d/f", 12, 34)
        assert (sftp.stat("d/f").st_uid, sftp.stat("d/f").st_gid) == (12, 34)
    fails(None, sftp.rmdir, "d")
    fails(errno.ENOENT, sftp.stat, "missing")
    fails(errno.ENOENT, sftp.open, "missing")
    fails(None, sftp.listdir, "l")
    sftp.remove("d/f")
    sftp.rmdir("d")
    sftp.unlink("l")
    assert sorted(sftp.listdir(".")) == ["tree"]
    assert [info.filename for info in sftp.listdir_iter(".")] == ["tree"]


def main(port, user, key, known_hosts, tree, back, remote):
    client = paramiko.SSHClient()
    client.load_host_keys(known_hosts)
    client.connect("127.0.0.1", int(port), user, key_filename=key,
                   allow_agent=False, look_for_keys=False)
    sftp = client.open_sftp()
    sftp.mkdir(remote + "/tree")
    send(sftp, tree, remote + "/tree")
    fetch(sftp, remote + "/tree", back)
    use_files(sftp)
    use_names(sftp, remote)
    client.close()


main(*sys.argv[1:])
