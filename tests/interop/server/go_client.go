// Go's x/crypto/ssh and pkg/sftp against a server: everything that the SFTP
// client can, commands, and new keys meanwhile.
//
// Arguments: port, user, private key, known hosts, a local tree to send, a
// local directory to make for what comes back, an existing remote directory.
package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/rand"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

func must(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

func mustBe(is bool) {
	if !is {
		log.Output(2, "not as expected")
		os.Exit(1)
	}
}

// A tree with its links, modes and times.
func send(client *sftp.Client, from, to string) {
	must(filepath.Walk(from, func(here string, info fs.FileInfo, err error) error {
		must(err)
		below, err := filepath.Rel(from, here)
		must(err)
		name := path.Join(to, below)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(here)
			must(err)
			must(client.Symlink(target, name))
			return nil
		case info.IsDir():
			must(client.MkdirAll(name))
		default:
			local, err := os.Open(here)
			must(err)
			remote, err := client.Create(name)
			must(err)
			size, err := remote.ReadFrom(local)
			must(err)
			mustBe(size == info.Size())
			must(remote.Close())
			must(local.Close())
		}
		must(client.Chmod(name, info.Mode()))
		return client.Chtimes(name, info.ModTime(), info.ModTime())
	}))
}

func fetch(client *sftp.Client, from, to string) {
	walker := client.Walk(from)
	for walker.Step() {
		must(walker.Err())
		info := walker.Stat()
		name := filepath.Join(to, walker.Path()[len(from):])
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := client.ReadLink(walker.Path())
			must(err)
			must(os.Symlink(target, name))
			continue
		case info.IsDir():
			must(os.Mkdir(name, 0700))
		default:
			remote, err := client.Open(walker.Path())
			must(err)
			local, err := os.Create(name)
			must(err)
			size, err := remote.WriteTo(local)
			must(err)
			mustBe(size == info.Size())
			must(remote.Close())
			must(local.Close())
		}
		must(os.Chmod(name, info.Mode()))
		must(os.Chtimes(name, info.ModTime(), info.ModTime()))
	}
}

// Open flags, seeks, reads and writes at offsets, many at the same time.
func useFiles(client *sftp.Client) {
	data := make([]byte, 3000000)
	back := make([]byte, len(data))

	rand.Read(data)
	f, err := client.OpenFile("f", os.O_RDWR|os.O_CREATE|os.O_EXCL)
	must(err)
	_, err = client.OpenFile("f", os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	mustBe(err != nil)
	count, err := f.ReadFromWithConcurrency(bytes.NewReader(data), 64)
	must(err)
	mustBe(count == int64(len(data)))
	got, err := f.ReadAt(back, 0)
	mustBe(got == len(data) && (err == nil || err == io.EOF))
	mustBe(bytes.Equal(data, back))
	_, err = f.WriteAt([]byte("abc"), 2999999)
	must(err)
	at, err := f.Seek(-2, io.SeekEnd)
	mustBe(err == nil && at == 3000000)
	rest, err := io.ReadAll(f)
	mustBe(err == nil && string(rest) == "bc")
	must(f.Truncate(7))
	must(f.Chmod(0640))
	must(f.Sync())
	info, err := f.Stat()
	mustBe(err == nil && info.Size() == 7 && info.Mode() == 0640)
	must(f.Close())
	f, err = client.OpenFile("f", os.O_WRONLY|os.O_APPEND)
	must(err)
	_, err = f.Write([]byte("end"))
	must(err)
	must(f.Close())
	info, err = client.Stat("f")
	mustBe(err == nil && info.Size() == 10)
	must(client.Truncate("f", 5))
	when := time.Unix(1072915200, 0)
	must(client.Chtimes("f", when, when))
	info, err = client.Stat("f")
	mustBe(err == nil && info.Size() == 5 && info.ModTime().Equal(when))
}

func useNames(client *sftp.Client, base string) {
	where, err := client.Getwd()
	mustBe(err == nil && where == base)
	must(client.MkdirAll("d/e"))
	must(client.Rename("f", "d/e/f"))
	mustBe(client.Rename("d/e/f", "tree") != nil)
	must(client.Link("d/e/f", "g"))
	must(client.PosixRename("g", "d/g"))
	must(client.Symlink("e/f", "d/l"))
	target, err := client.ReadLink("d/l")
	mustBe(err == nil && target == "e/f")
	info, err := client.Lstat("d/l")
	mustBe(err == nil && info.Mode()&fs.ModeSymlink != 0)
	full, err := client.RealPath("d/../d/l")
	mustBe(err == nil && full == base+"/d/e/f")
	found, err := client.Glob("d/?")
	mustBe(err == nil && len(found) == 3)
	if os.Geteuid() == 0 {
		must(client.Chown("d/g", 12, 34))
		info, err = client.Stat("d/g")
		must(err)
		owned := info.Sys().(*sftp.FileStat)
		mustBe(owned.UID == 12 && owned.GID == 34)
	}
	space, err := client.StatVFS(".")
	mustBe(err == nil && space.TotalSpace() > 0)
	_, err = client.Stat("missing")
	mustBe(errors.Is(err, fs.ErrNotExist))
	_, err = client.ReadDir("d/g")
	mustBe(err != nil)
	mustBe(client.RemoveDirectory("d") != nil)
	for _, name := range []string{"d/e/f", "d/g", "d/l", "d/e", "d"} {
		must(client.Remove(name))
	}
	left, err := client.ReadDir(".")
	mustBe(err == nil && len(left) == 1 && left[0].Name() == "tree")
}

// What a shell and csftpd have both.
func useCommands(connection *ssh.Client) {
	run := func(command, in string) (string, error) {
		session, err := connection.NewSession()
		must(err)
		defer session.Close()
		session.Stdin = bytes.NewReader([]byte(in))
		out, err := session.Output(command)
		return string(out), err
	}
	out, err := run("echo a b", "")
	mustBe(err == nil && out == "a b\n")
	text := string(bytes.Repeat([]byte("text"), 300000))
	out, err = run("sha256sum", text)
	mustBe(err == nil &&
		out == fmt.Sprintf("%x  -\n", sha256.Sum256([]byte(text))))
	_, err = run("no-such-command", "")
	var exit *ssh.ExitError
	mustBe(errors.As(err, &exit) && exit.ExitStatus() == 127)
}

func main() {
	log.SetFlags(log.Lshortfile)
	syscall.Umask(0)
	text, err := os.ReadFile(os.Args[3])
	must(err)
	key, err := ssh.ParsePrivateKey(text)
	must(err)
	known, err := knownhosts.New(os.Args[4])
	must(err)
	connection, err := ssh.Dial("tcp", "127.0.0.1:"+os.Args[1],
		&ssh.ClientConfig{
			Config:            ssh.Config{RekeyThreshold: 1 << 20},
			User:              os.Args[2],
			Auth:              []ssh.AuthMethod{ssh.PublicKeys(key)},
			HostKeyCallback:   known,
			HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		})
	must(err)
	client, err := sftp.NewClient(connection, sftp.UseConcurrentWrites(true))
	must(err)
	base := os.Args[7]
	send(client, os.Args[5], base+"/tree")
	fetch(client, base+"/tree", os.Args[6])
	useFiles(client)
	useNames(client, base)
	useCommands(connection)
	must(client.Close())
	must(connection.Close())
}
