#include "tests/lib/liar.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Scripts: what a mount shows, for which claims. */
#define WORKS	    "cmp file \"$honest/file\"\ncmp large \"$honest/large\"\n"
#define FILE_FAILS  "fails cat file\n"
#define LARGE_FAILS "fails cat large >\"$out/large\"\n"
#define NO_LISTING  "fails ls\n"
#define DEAD	    "fails cat file\n"
/* The names that are there, and no other. */
#define NAMES(list) "test \"$(ls -A | tr '\\n' ' ')\" = '" list "'\n"

/* A listing of one name. */
#define ONE_NAME(name, attr) "68 id 00000001 " name " s:- " attr

const struct lie lies[] = {
	/* VERSION (filexfer-02, 4) */
	{"version 2", SFTP_INIT, NULL, 0, "02 00000002", NULL},
	{"version 4", SFTP_INIT, NULL, 0, "02 00000004", NULL},
	{"version without end", SFTP_INIT, NULL, 0, "02 0000", NULL},
	{"a packet of no length", SFTP_INIT, NULL, 0, "length:00000000", NULL},
	{"a status for VERSION", SFTP_INIT, NULL, 0,
	 "65 00000000 00000000 s:ok s:", NULL},
	{"a length of all bits", SFTP_INIT, NULL, 0,
	 "length:ffffffff 02 00000003", NULL},
	{"nothing for VERSION", SFTP_INIT, NULL, 0, "end", NULL},
	{"words before VERSION", SFTP_INIT, NULL, 0,
	 "length:57656c63 6f6d6520 746f2074 68697320", NULL},
	{"VERSION twice", SFTP_INIT, NULL, 0, "honest honest", NULL},
	{"an extension that is cut", SFTP_INIT, NULL, 0,
	 "02 00000003 s:limits@openssh.com 000000ff 31", WORKS},
	{"an extension without end", SFTP_INIT, NULL, 0,
	 "02 00000003 s*60000 s*60000 s:posix-rename@openssh.com s:1", WORKS},
	{"an extension of no name", SFTP_INIT, NULL, 0,
	 "02 00000003 s: s: s: s: s:statvfs@openssh.com s:2", WORKS},
	{"an extension of another version", SFTP_INIT, NULL, 0,
	 "02 00000003 s:copy-data s:9 s:limits@openssh.com s:%00", WORKS},

	/* Servers that are older, or do not do what they say */
	{"no extensions", SFTP_INIT, NULL, 0, "02 00000003",
	 WORKS
	 "mkdir new\nmv new other\nrmdir other\n"
	 "dd if=\"$honest/large\" of=w conv=fsync\ncmp w \"$honest/large\"\n"
	 "mv w v\nrm v\nln -s file soft\ntest $(readlink soft) = file\n"
	 "fails ln file hard\ncp d/a d/c\ncmp d/a d/c\ndf . >/dev/null\n"},
	{"no renames over a file after all", SFTP_POSIX_RENAME, NULL, 0,
	 "65 id 00000008 s:no s:", WORKS "fails mv file d/a\n"},
	{"no hard links after all", SFTP_HARDLINK, NULL, 0,
	 "65 id 00000008 s:no s:", WORKS "fails ln file hard\n"},
	{"no sizes after all", SFTP_STATVFS, NULL, 0,
	 "65 id 00000008 s:no s:", WORKS "df . || :\n"},

	/* Limits */
	{"limits of zero", SFTP_LIMITS, NULL, 0,
	 "c9 id 0000000000000000 0000000000000000 0000000000000000 "
	 "0000000000000000",
	 WORKS},
	{"limits of one", SFTP_LIMITS, NULL, 0,
	 "c9 id 0000000000000001 0000000000000001 0000000000000001 "
	 "0000000000000001",
	 "cmp file \"$honest/file\"\n"},
	{"limits of all bits", SFTP_LIMITS, NULL, 0,
	 "c9 id ffffffffffffffff ffffffffffffffff ffffffffffffffff "
	 "ffffffffffffffff",
	 WORKS},
	{"limits that are cut", SFTP_LIMITS, NULL, 0, "c9 id 00000000", WORKS},
	{"no limits after all", SFTP_LIMITS, NULL, 0,
	 "65 id 00000008 s:no s:", WORKS},
	{"a name for limits", SFTP_LIMITS, NULL, 0,
	 "68 id 00000001 s:x s:x 00000000", WORKS},
	{"limits for another", SFTP_LIMITS, NULL, 0, "c9 id+1 00000000", NULL},

	/* REALPATH, of which a mount is made */
	{"no name for the root", SFTP_REALPATH, NULL, 0, "68 id 00000000",
	 NULL},
	{"a NUL in the root", SFTP_REALPATH, NULL, 0,
	 ONE_NAME("s:/%00/etc", "00000000"), NULL},
	{"a root of no place", SFTP_REALPATH, NULL, 0,
	 ONE_NAME("s:etc", "00000000"), NULL},
	{"a root of no name", SFTP_REALPATH, NULL, 0,
	 ONE_NAME("s:", "00000000"), NULL},
	{"a root without end", SFTP_REALPATH, NULL, 0,
	 "68 id 00000001 s*70000 s:- 00000000", NULL},
	{"a root that is a file", SFTP_STAT, NULL, 0, "69 id file", NULL},
	{"two roots", SFTP_REALPATH, NULL, 0,
	 "68 id 00000002 s:/ s:- 00000000 s:/d s:- 00000000", NULL},

	/* Names of a directory */
	{"a slash in a name", SFTP_READDIR, NULL, 1,
	 ONE_NAME("s:d/evil", "file"), NAMES("") "fails cat d/evil\n"},
	{"a path for a name", SFTP_READDIR, NULL, 1,
	 ONE_NAME("s:../evil", "file"), NAMES("")},
	{"an absolute name", SFTP_READDIR, NULL, 1,
	 ONE_NAME("s:/etc/passwd", "file"), NAMES("")},
	{"a NUL in a name", SFTP_READDIR, NULL, 1,
	 ONE_NAME("s:ev%00il", "file"), NAMES("")},
	{"an empty name", SFTP_READDIR, NULL, 1, ONE_NAME("s:", "file"),
	 NAMES("")},
	{"the parent as a file", SFTP_READDIR, NULL, 1,
	 ONE_NAME("s:..", "file"), NAMES("") "test -d ..\n"},
	{"itself as a file", SFTP_READDIR, NULL, 1, ONE_NAME("s:.", "file"),
	 NAMES("") "test -d .\n"},
	{"a name of 256 bytes", SFTP_READDIR, NULL, 1,
	 ONE_NAME("s*256", "file"), NAMES("")},
	{"a name of 64 KiB", SFTP_READDIR, NULL, 1, ONE_NAME("s*65536", "file"),
	 NAMES("")},
	{"a long name of 64 KiB", SFTP_READDIR, NULL, 1,
	 "68 id 00000001 s:good s*65536 file", NAMES("good ")},
	{"bytes that no terminal likes", SFTP_READDIR, NULL, 1,
	 ONE_NAME("s:%1b%5d0;evil%07%ff", "file"),
	 "test $(ls -A | wc -l) = 1\n"},
	{"one name twice", SFTP_READDIR, NULL, 1,
	 "68 id 00000002 s:file s:- file s:file s:- dir",
	 "test \"$(ls -A | sort -u)\" = file\n"},
	{"more names than there are", SFTP_READDIR, NULL, 0,
	 "68 id 7fffffff s:file s:- file", NO_LISTING},
	{"all bits of names", SFTP_READDIR, NULL, 0, "68 id ffffffff",
	 NO_LISTING},
	{"fewer names than there are", SFTP_READDIR, NULL, 1,
	 "68 id 00000001 s:file s:- file s:more s:- file", NAMES("file ")},
	{"a name that is cut", SFTP_READDIR, NULL, 0,
	 "68 id 00000001 000000ff 6162", NO_LISTING},
	{"a name's length of all bits", SFTP_READDIR, NULL, 0,
	 "68 id 00000001 ffffffff 6162", NO_LISTING},
	{"attributes that are cut", SFTP_READDIR, NULL, 0,
	 "68 id 00000001 s:file s:- 0000000f 00", NO_LISTING},
	{"attributes of all bits", SFTP_READDIR, NULL, 0,
	 "68 id 00000001 s:file s:- ffffffff x*64", NO_LISTING},
	{"extended attributes without end", SFTP_READDIR, NULL, 0,
	 "68 id 00000001 s:file s:- 80000000 ffffffff s:a s:b", NO_LISTING},
	{"names without end", SFTP_READDIR, NULL, 0,
	 "68 id 00000002 s:one s:- file s:two s:- file",
	 "fails timeout 2 ls >/dev/null\n"},
	{"no names without end", SFTP_READDIR, NULL, 0, "68 id 00000000",
	 "fails timeout 2 ls >/dev/null\n"},
	{"data for names", SFTP_READDIR, NULL, 0, "67 id s:file", NO_LISTING},
	{"success for names", SFTP_READDIR, NULL, 0,
	 "65 id 00000000 s: s:", NO_LISTING},
	{"a file for a directory", SFTP_READDIR, NULL, 1,
	 ONE_NAME("s:d", "file"), NAMES("d ") "cat d || :\n"},
	{"a directory for a file", SFTP_READDIR, NULL, 1,
	 ONE_NAME("s:file", "dir"), NAMES("file ") "fails ls file/\n"},
	{"a kind that is none", SFTP_READDIR, NULL, 1,
	 "68 id 00000001 s:file s:- 00000004 0000f1a4", "ls -A\nls -l || :\n"},

	/* Attributes */
	{"attributes that end", SFTP_LSTAT, "/file", 0, "69 id 0000000f 00",
	 "fails stat file\n"},
	{"flags of all bits", SFTP_LSTAT, "/file", 0, "69 id ffffffff x*100",
	 "fails stat file\n"},
	{"a size of all bits", SFTP_LSTAT, "/file", 0,
	 "69 id 00000005 ffffffffffffffff 000081a4",
	 "stat file || :\ncat file >\"$out/file\" || :\n"
	 "test $(wc -c <\"$out/file\") -le 5\n"},
	{"a size of half the bits", SFTP_LSTAT, "/file", 0,
	 "69 id 00000005 7fffffffffffffff 000081a4",
	 "stat file\ncat file >\"$out/file\" || :\n"
	 "test $(wc -c <\"$out/file\") -le 5\n"},
	{"a type of no kind", SFTP_LSTAT, "/file", 0, "69 id 00000004 000001a4",
	 "stat file || :\n"},
	{"a device", SFTP_LSTAT, "/file", 0, "69 id 00000004 000061a4",
	 "stat file || :\n"},
	{"no attributes at all", SFTP_LSTAT, "/file", 0, "69 id 00000000",
	 "stat file || :\n"},
	{"a name for attributes", SFTP_LSTAT, "/file", 0,
	 ONE_NAME("s:file", "file"), "fails stat file\n"},
	{"success for attributes", SFTP_LSTAT, "/file", 0,
	 "65 id 00000000 s: s:", "fails stat file\n"},
	{"attributes of the file by handle", SFTP_FSTAT, NULL, 0,
	 "69 id ffffffff", "cat file || :\n"},

	/* Handles */
	{"an empty handle", SFTP_OPEN, "/file", 0,
	 "66 id s:", "cat file || :\n"},
	{"a handle of 257 bytes", SFTP_OPEN, "/file", 0, "66 id s*257",
	 FILE_FAILS},
	{"a handle of 64 KiB", SFTP_OPEN, "/file", 0, "66 id s*65536",
	 FILE_FAILS},
	{"a handle that is cut", SFTP_OPEN, "/file", 0, "66 id 000000ff 61",
	 FILE_FAILS},
	{"success for a handle", SFTP_OPEN, "/file", 0,
	 "65 id 00000000 s: s:", FILE_FAILS},
	{"data for a handle", SFTP_OPEN, "/file", 0, "67 id s:text%0a",
	 FILE_FAILS},
	{"a handle for a handle's end", SFTP_CLOSE, NULL, 0, "66 id s:x",
	 "cmp file \"$honest/file\"\nfails dd if=\"$honest/file\" of=new\n"},
	{"a directory's handle of 64 KiB", SFTP_OPENDIR, NULL, 0,
	 "66 id s*65536", NO_LISTING},

	/* Data */
	{"more data than was asked for", SFTP_READ, NULL, 0, "67 id s*260000",
	 FILE_FAILS LARGE_FAILS},
	{"data that is cut", SFTP_READ, NULL, 0, "67 id 00000fff 7878",
	 FILE_FAILS LARGE_FAILS},
	{"a data length of all bits", SFTP_READ, NULL, 0, "67 id ffffffff 7878",
	 FILE_FAILS LARGE_FAILS},
	{"no data", SFTP_READ, NULL, 0, "67 id s:", FILE_FAILS LARGE_FAILS},
	{"success for data", SFTP_READ, NULL, 0,
	 "65 id 00000000 s: s:", FILE_FAILS LARGE_FAILS},
	{"names for data", SFTP_READ, NULL, 0, ONE_NAME("s:text", "file"),
	 FILE_FAILS LARGE_FAILS},
	{"an early end", SFTP_READ, NULL, 0, "65 id 00000001 s: s:",
	 "cat large >\"$out/large\" || :\n"
	 "cmp -n $(wc -c <\"$out/large\") \"$out/large\" \"$honest/large\"\n"
	 "fails grep -q x \"$out/large\"\n"},
	{"a status of all bits", SFTP_READ, NULL, 0,
	 "65 id ffffffff s:%1b%5b2J s:", FILE_FAILS LARGE_FAILS},
	{"a status without words", SFTP_READ, NULL, 0, "65 id 00000004",
	 FILE_FAILS LARGE_FAILS},
	{"a status of 64 KiB", SFTP_READ, NULL, 0,
	 "65 id 00000004 s*65000 s:en", FILE_FAILS LARGE_FAILS},
	{"data for another request", SFTP_READ, NULL, 0, "67 id+1 s:x", DEAD},
	{"an answer twice", SFTP_READ, NULL, 0, "honest honest", "ls || :\n"},
	{"a packet of half the bits", SFTP_READ, NULL, 0,
	 "length:7fffffff 67 id", DEAD},
	{"a packet of no length for data", SFTP_READ, NULL, 0,
	 "length:00000000", DEAD},
	{"an end instead of data", SFTP_READ, NULL, 0, "67 id end", DEAD},
	{"a type that is none", SFTP_READ, NULL, 0, "fe id s:text", FILE_FAILS},
	{"a request for an answer", SFTP_READ, NULL, 0, "03 id s:file 00000001",
	 FILE_FAILS},

	/* Links, and the rest */
	{"a link to nowhere", SFTP_READLINK, NULL, 0, "68 id 00000000",
	 "fails readlink link\nfails cat link\n"},
	{"a link of no text", SFTP_READLINK, NULL, 0,
	 ONE_NAME("s:", "00000000"), "fails readlink link\nfails cat link\n"},
	{"a NUL in a link", SFTP_READLINK, NULL, 0,
	 ONE_NAME("s:file%00x", "00000000"),
	 "fails readlink link\nfails cat link\n"},
	{"a link of 64 KiB", SFTP_READLINK, NULL, 0,
	 "68 id 00000001 s*65536 s: 00000000",
	 "fails readlink link\nfails cat link\n"},
	{"a link of two texts", SFTP_READLINK, NULL, 0,
	 "68 id 00000002 s:file s:- 00000000 s:d s:- 00000000",
	 "cat link || :\n"},
	{"sizes that are cut", SFTP_STATVFS, NULL, 0, "c9 id x*80",
	 "fails df .\n"},
	{"blocks of no size", SFTP_STATVFS, NULL, 0,
	 "c9 id 0000000000000000 0000000000000000 ffffffffffffffff "
	 "ffffffffffffffff ffffffffffffffff 0000000000000000 "
	 "ffffffffffffffff ffffffffffffffff 0000000000000000 "
	 "0000000000000000 ffffffffffffffff",
	 "df . || :\n"},
	{"a name for a directory made", SFTP_MKDIR, NULL, 0,
	 ONE_NAME("s:new", "dir"), "fails mkdir new\n"},
	{"data for what was written", SFTP_WRITE, NULL, 0, "67 id s:x",
	 "fails dd if=\"$honest/file\" of=new\n"},
	{"an end where it was written", SFTP_WRITE, NULL, 0,
	 "65 id 00000001 s: s:", "fails dd if=\"$honest/file\" of=new\n"},
	{"a handle for a rename", SFTP_POSIX_RENAME, NULL, 0, "66 id s:x",
	 "fails mv file d/a\n"},
	{"an answer before the question", SFTP_MKDIR, NULL, 0,
	 "honest | 65 id+1 00000000 s: s:", "mkdir new || :\n"},
};

const size_t lies_count = COUNT(lies);
