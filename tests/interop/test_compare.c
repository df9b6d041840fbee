/*
 * csftp-server and OpenSSH's sftp-server are asked the same in equal trees.
 * Their answers are the same field by field, and so are the trees afterwards,
 * but for what is listed here.
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/lib/twins.h"

#define BYTES(s)                                                               \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The first row that fits counts. */
static const struct twins_difference differences[] = {
	{"*", "END", "STATUS 5", TWINS_TREES_SAME,
	 "a path with a NUL, or a request that does not decode, ends a session "
	 "of OpenSSH's; here it is refused, and the session goes on"},
	{"SETSTAT path  attr*", "STATUS 2", "STATUS 0", TWINS_TREES_DIFFER,
	 "an empty path is the start directory (filexfer-02, 6.2)"},
	{"* path ", "STATUS 2", "*", TWINS_TREES_SAME,
	 "an empty path is the start directory (filexfer-02, 6.2)"},
	{"* path  *", "STATUS 2", "*", TWINS_TREES_SAME,
	 "an empty path is the start directory (filexfer-02, 6.2)"},
	{"* to ", "STATUS 2", "STATUS [34]", TWINS_TREES_SAME,
	 "an empty path is the start directory (filexfer-02, 6.2)"},
	{"* handle nnn*", "STATUS [24]", "STATUS 5", TWINS_TREES_SAME,
	 "a handle above 256 bytes is malformed (filexfer-02, 6.3)"},
	{"OPEN path *", "*", "STATUS 5", TWINS_TREES_DIFFER,
	 "a file is cut or made to be appended to only where it is opened to "
	 "write"},
	{"READ handle #0 off ????????????????*", "STATUS 5", "STATUS 1",
	 TWINS_TREES_SAME, "no file reaches so far, so that is behind its end"},
	{"READ handle #0 off ???????????????? len 0 *", "STATUS 5", "DATA 0 *",
	 TWINS_TREES_SAME, "nothing can be read anywhere"},
	{"WRITE handle #0 off 7fffffffffffffff*", "STATUS 5", "STATUS [04]",
	 TWINS_TREES_SAME, "too large a file, not a malformed message"},
	{"READ handle #0*", "STATUS 4", "STATUS 2", TWINS_TREES_SAME,
	 "of a directory: EBADF, which OpenSSH sends as NO_SUCH_FILE, too"},
	{"WRITE handle #0*", "STATUS 4", "STATUS 2", TWINS_TREES_SAME,
	 "of a directory, as above"},
	{"READDIR handle #0*", "STATUS 4", "STATUS 2", TWINS_TREES_SAME,
	 "of a file, as above"},
	{"FSTAT handle #0*", "STATUS 4", "ATTRS*", TWINS_TREES_SAME,
	 "a directory's handle has attributes"},
	{"FSETSTAT handle #0*", "STATUS 4", "STATUS 0", TWINS_TREES_DIFFER,
	 "a directory's handle has attributes"},
	{"fstatvfs* handle #0*", "STATUS 4", "REPLY*", TWINS_TREES_SAME,
	 "a directory is on a file system"},
	{"fsync* handle #0*", "STATUS 2", "STATUS 0", TWINS_TREES_SAME,
	 "a directory can be synchronized"},
	{"REALPATH path *", "NAME*", "STATUS 2", TWINS_TREES_SAME,
	 "a file with a slash behind is no directory, as for the kernel"},
	{"expand-path* path [fl]*", "NAME*", "STATUS 2", TWINS_TREES_SAME,
	 "as REALPATH"},
	{"expand-path* path ~*", "*", "NAME*", TWINS_TREES_SAME,
	 "~ is the home and not the start directory; a home may be missing"},
	{"RENAME path * to dangling", "STATUS [02]", "STATUS 4",
	 TWINS_TREES_DIFFER,
	 "a link is not replaced, wherever it leads (filexfer-02, 6.5)"},
	{"SETSTAT path fifo *", "STATUS 3", "STATUS 5", TWINS_TREES_DIFFER,
	 "what has no size is not opened to cut it"},
	{"*STAT *", "ATTRS*400 5 6", "ATTRS*", TWINS_TREES_DIFFER,
	 "the first attribute that cannot be set ends SETSTAT"},
	{"lsetstat* path *", "STATUS 4", "STATUS 8", TWINS_TREES_SAME,
	 "links have no mode: OP_UNSUPPORTED says so"},
	{"copy-data handle #1 handle #1*", "STATUS 4", "STATUS [0125]",
	 TWINS_TREES_DIFFER,
	 "parts of one file that do not overlap can be copied"},
	{"copy-data handle #0 handle #1*", "STATUS 4", "STATUS [0125]",
	 TWINS_TREES_DIFFER,
	 "parts of one file that do not overlap can be copied"},
	{"copy-data handle #0 handle #1*", "*", "STATUS 2", TWINS_TREES_DIFFER,
	 "what is opened to append has no place to copy to"},
	{"copy-data handle #0 handle #1*", "STATUS 0", "STATUS 1",
	 TWINS_TREES_SAME,
	 "there was less to copy; OpenSSH says so where it is less by more "
	 "than "
	 "its buffer"},
	{"home-directory path ", "STATUS 4", "NAME*", TWINS_TREES_SAME,
	 "no name is one's own (filexfer-extensions-00, 5)"},
	{"home-directory path nobody", "NAME*", "NAME*", TWINS_TREES_SAME,
	 "OpenSSH 9.2 says its own home whoever was asked for"},
	{"home-directory path *", "STATUS 4", "STATUS 2", TWINS_TREES_SAME,
	 "there is no such user"},
	{"raw no extension", "END", "STATUS 8", TWINS_TREES_SAME,
	 "a request that does not decode ends a session of OpenSSH's"},
	{"limits*", "REPLY*", "REPLY*", TWINS_TREES_SAME,
	 "the number of handles is ours"},
};

static char long_name[300];
static char long_path[5000];

/* All kinds of names, and of what is behind them. */
static struct wire_bytes paths[] = {
	BYTES("file"),	    BYTES("dir"),	  BYTES("missing"),
	BYTES("link"),	    BYTES("dirlink"),	  BYTES("dangling"),
	BYTES("loop"),	    BYTES("linkdir2"),	  BYTES("fifo"),
	BYTES("dir/inner"), BYTES("dir/missing"), BYTES("missing/x"),
	BYTES("file/x"),    BYTES("dangling/x"),  BYTES("loop/x"),
	BYTES("locked"),    BYTES("denied"),	  BYTES("denied/x"),
	BYTES("empty"),	    BYTES("dir/"),	  BYTES("file/"),
	BYTES("missing/"),  BYTES("link/"),	  BYTES("dirlink/"),
	BYTES(""),	    BYTES("."),		  BYTES(".."),
	BYTES("/"),	    BYTES("//"),	  BYTES("./dir/../file"),
	BYTES("dir/.."),    BYTES("dir/."),	  BYTES("missing/.."),
	BYTES("file/.."),   BYTES("a b"),	  BYTES("\xff\xfe"),
	BYTES("~"),	    BYTES("~/x"),	  BYTES("~root"),
	BYTES("~root/x"),   BYTES("~nobody"),	  BYTES("~nosuchuser/x"),
	BYTES("fi\0le"),    BYTES("zero"),	  BYTES("/dev/null"),
	{NULL, 299},	    {NULL, 4999},
};

/* Those that are combined with each other. */
static const struct wire_bytes few[] = {
	BYTES("file"),	    BYTES("dir"),	BYTES("missing"),
	BYTES("link"),	    BYTES("dirlink"),	BYTES("dangling"),
	BYTES("empty"),	    BYTES("dir/inner"), BYTES("dir/new"),
	BYTES("missing/x"), BYTES("file/x"),	BYTES(""),
	BYTES("dir/sub"),   BYTES("fifo"),
};

static struct twins twins;

static void ask(const struct sftp_msg *msg)
{
	twins_ask(&twins, msg);
}

static void ask_path(enum sftp_kind kind, struct wire_bytes path)
{
	ask(&(struct sftp_msg){.kind = kind, .path = path});
}

static void close_handle(unsigned i)
{
	ask(&(struct sftp_msg){.kind = SFTP_CLOSE, .handle = twins_handle(i)});
}

static void open_as(unsigned i, struct wire_bytes path, uint32_t flags)
{
	ask(&(struct sftp_msg){
		.kind = SFTP_OPEN, .id = i, .path = path, .num = flags});
}

/* All that was asked since the test began was answered alike. */
static void assert_alike(void)
{
	unsigned wrong = twins.wrong;

	twins.wrong = 0;
	print_message("# %u requests so far\n", twins.asked);
	assert_int_equal(wrong, 0);
}

static void looking_changes_nothing(enum twins_who who)
{
	static const enum sftp_kind kinds[] = {
		SFTP_LSTAT,    SFTP_STAT,    SFTP_REALPATH,
		SFTP_READLINK, SFTP_STATVFS, SFTP_EXPAND_PATH,
	};

	twins_start(&twins, who);
	for (size_t i = 0; i < COUNT(paths); i++)
		for (size_t k = 0; k < COUNT(kinds); k++)
			ask_path(kinds[k], paths[i]);
	for (size_t i = 0; i < COUNT(paths); i++) {
		ask_path(SFTP_OPENDIR, paths[i]);
		close_handle(0);
		memset(twins.theirs.handle_len, 0,
		       sizeof(twins.theirs.handle_len));
		memset(twins.ours.handle_len, 0, sizeof(twins.ours.handle_len));
	}
	twins_stop(&twins);
}

static void names_are_looked_at_alike(void **state)
{
	(void)state;
	looking_changes_nothing(TWINS_SELF);
	assert_alike();
}

static void directories_are_listed_alike(void **state)
{
	(void)state;
	twins_start(&twins, TWINS_SELF);
	twins_list(&twins, ".");
	twins_list(&twins, "dir");
	twins_list(&twins, "empty");
	twins_list(&twins, "dirlink");
	twins_list(&twins, "dir/sub");
	twins_list(&twins, "");
	twins_list(&twins, "missing");
	twins_list(&twins, "file");
	twins_stop(&twins);
	assert_alike();
}

static void remove_names(enum twins_who who)
{
	static const enum sftp_kind kinds[] = {SFTP_REMOVE, SFTP_RMDIR};

	for (size_t i = 0; i < COUNT(paths); i++) {
		for (size_t k = 0; k < COUNT(kinds); k++) {
			/* Nothing outside of the trees is to be removed. */
			if (paths[i].ptr && paths[i].len > 0 &&
			    (paths[i].ptr[0] == '/' || paths[i].ptr[0] == '.'))
				continue;
			twins_start(&twins, who);
			ask_path(kinds[k], paths[i]);
			twins_stop(&twins);
		}
	}
}

static void names_are_removed_alike(void **state)
{
	(void)state;
	remove_names(TWINS_SELF);
	assert_alike();
}

static const struct csftp_attr attrs[] = {
	{.mask = 0},
	{.mask = CSFTP_ATTR_MODE, .mode = 0},
	{.mask = CSFTP_ATTR_MODE, .mode = 0700},
	{.mask = CSFTP_ATTR_MODE, .mode = 0777},
	{.mask = CSFTP_ATTR_MODE, .mode = 07777},
	{.mask = CSFTP_ATTR_MODE, .mode = 0104755},
	{.mask = CSFTP_ATTR_MODE, .mode = 0xffffffff},
	{.mask = CSFTP_ATTR_SIZE, .size = 0},
	{.mask = CSFTP_ATTR_SIZE, .size = 3},
	{.mask = CSFTP_ATTR_SIZE, .size = 5000},
	{.mask = CSFTP_ATTR_SIZE, .size = 1ULL << 62},
	{.mask = CSFTP_ATTR_SIZE, .size = 1ULL << 63},
	{.mask = CSFTP_ATTR_SIZE, .size = UINT64_MAX},
	{.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID, .uid = 65534, .gid = 65534},
	{.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID, .uid = 1, .gid = 2},
	{.mask = CSFTP_ATTR_UID | CSFTP_ATTR_GID,
	 .uid = UINT32_MAX,
	 .gid = UINT32_MAX},
	{.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
	 .atime = {.sec = 1},
	 .mtime = {.sec = 2}},
	{.mask = CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
	 .atime = {.sec = UINT32_MAX},
	 .mtime = {.sec = UINT32_MAX}},
	{.mask = CSFTP_ATTR_SIZE | CSFTP_ATTR_UID | CSFTP_ATTR_GID |
		 CSFTP_ATTR_MODE | CSFTP_ATTR_ATIME | CSFTP_ATTR_MTIME,
	 .size = 10,
	 .uid = 65534,
	 .gid = 65534,
	 .mode = 0400,
	 .atime = {.sec = 5},
	 .mtime = {.sec = 6}},
};

static void directories_are_made_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(paths); i++) {
		twins_start(&twins, TWINS_SELF);
		ask_path(SFTP_MKDIR, paths[i]);
		twins_stop(&twins);
	}
	for (size_t i = 0; i < COUNT(attrs); i++) {
		twins_start(&twins, TWINS_SELF);
		ask(&(struct sftp_msg){.kind = SFTP_MKDIR,
				       .path = BYTES("made"),
				       .attr = attrs[i]});
		ask_path(SFTP_LSTAT, (struct wire_bytes)BYTES("made"));
		twins_stop(&twins);
	}
	assert_alike();
}

static void set_attributes(enum twins_who who)
{
	static const enum sftp_kind kinds[] = {SFTP_SETSTAT, SFTP_LSETSTAT};
	static const struct wire_bytes names[] = {
		BYTES("file"),	   BYTES("dir"),    BYTES("link"),
		BYTES("dangling"), BYTES("locked"), BYTES("fifo")};

	for (size_t k = 0; k < COUNT(kinds); k++) {
		for (size_t n = 0; n < COUNT(names); n++) {
			for (size_t i = 0; i < COUNT(attrs); i++) {
				twins_start(&twins, who);
				ask(&(struct sftp_msg){.kind = kinds[k],
						       .path = names[n],
						       .attr = attrs[i]});
				ask_path(SFTP_LSTAT, names[n]);
				ask_path(SFTP_STAT, names[n]);
				twins_stop(&twins);
			}
		}
	}
}

static void attributes_are_set_alike(void **state)
{
	(void)state;
	set_attributes(TWINS_SELF);
	for (size_t i = 0; i < COUNT(paths); i++) {
		struct sftp_msg msg = {.path = paths[i], .attr = attrs[2]};

		if (paths[i].len > 0 && paths[i].ptr &&
		    (paths[i].ptr[0] == '/' || paths[i].ptr[0] == '.'))
			continue;
		twins_start(&twins, TWINS_SELF);
		msg.kind = SFTP_SETSTAT;
		ask(&msg);
		msg.kind = SFTP_LSETSTAT;
		ask(&msg);
		twins_stop(&twins);
	}
	assert_alike();
}

static void attributes_of_handles_are_set_alike(void **state)
{
	static const uint32_t flags[] = {CSFTP_OPEN_READ,
					 CSFTP_OPEN_READ | CSFTP_OPEN_WRITE};

	(void)state;
	for (size_t f = 0; f < COUNT(flags); f++) {
		for (size_t i = 0; i < COUNT(attrs); i++) {
			twins_start(&twins, TWINS_SELF);
			open_as(0, (struct wire_bytes)BYTES("file"), flags[f]);
			ask(&(struct sftp_msg){.kind = SFTP_FSETSTAT,
					       .handle = twins_handle(0),
					       .attr = attrs[i]});
			ask(&(struct sftp_msg){.kind = SFTP_FSTAT,
					       .handle = twins_handle(0)});
			close_handle(0);
			twins_stop(&twins);
		}
	}
	assert_alike();
}

/* What can be done with a handle that was opened so. */
static void use_handle(unsigned i)
{
	struct sftp_msg msg = {.handle = twins_handle(i), .off = 10, .len = 20};

	msg.kind = SFTP_FSTAT;
	ask(&msg);
	msg.kind = SFTP_READ;
	ask(&msg);
	msg.kind = SFTP_WRITE;
	msg.data = (struct wire_bytes)BYTES("written");
	ask(&msg);
	msg.kind = SFTP_READ;
	ask(&msg);
	msg.kind = SFTP_FSYNC;
	ask(&msg);
	msg.kind = SFTP_FSTATVFS;
	ask(&msg);
	msg.kind = SFTP_READDIR;
	ask(&msg);
	msg.kind = SFTP_CLOSE;
	ask(&msg);
	ask(&msg);
	msg.kind = SFTP_FSTAT;
	ask(&msg);
}

static void open_with_all_flags(enum twins_who who, struct wire_bytes path)
{
	for (uint32_t flags = 0; flags < 64; flags++) {
		twins_start(&twins, who);
		open_as(0, path, flags);
		if (twins.theirs.pid && twins.ours.pid &&
		    twins.theirs.answer.kind == SFTP_HANDLE &&
		    twins.ours.answer.kind == SFTP_HANDLE)
			use_handle(0);
		twins_stop(&twins);
	}
}

static void files_are_opened_alike(void **state)
{
	static const struct wire_bytes names[] = {
		BYTES("file"),	   BYTES("missing"), BYTES("link"),
		BYTES("dangling"), BYTES("dir"),     BYTES("dir/new"),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		open_with_all_flags(TWINS_SELF, names[i]);
	for (size_t i = 0; i < COUNT(paths); i++) {
		static const struct wire_bytes fifo = BYTES("fifo");

		/* OpenSSH's server would wait for a writer. */
		if (paths[i].ptr && paths[i].len == fifo.len &&
		    memcmp(paths[i].ptr, fifo.ptr, fifo.len) == 0)
			continue;
		twins_start(&twins, TWINS_SELF);
		open_as(0, paths[i], CSFTP_OPEN_READ);
		twins_stop(&twins);
	}
	for (size_t i = 0; i < COUNT(attrs); i++) {
		twins_start(&twins, TWINS_SELF);
		ask(&(struct sftp_msg){.kind = SFTP_OPEN,
				       .path = BYTES("made"),
				       .num = CSFTP_OPEN_WRITE |
					      CSFTP_OPEN_CREAT,
				       .attr = attrs[i]});
		ask_path(SFTP_LSTAT, (struct wire_bytes)BYTES("made"));
		twins_stop(&twins);
	}
	assert_alike();
}

static void pairs_of_names_are_handled_alike(void **state)
{
	static const enum sftp_kind kinds[] = {SFTP_RENAME, SFTP_POSIX_RENAME,
					       SFTP_HARDLINK, SFTP_SYMLINK};

	(void)state;
	for (size_t k = 0; k < COUNT(kinds); k++) {
		for (size_t i = 0; i < COUNT(few); i++) {
			for (size_t n = 0; n < COUNT(few); n++) {
				twins_start(&twins, TWINS_SELF);
				ask(&(struct sftp_msg){.kind = kinds[k],
						       .path = few[i],
						       .path2 = few[n]});
				twins_stop(&twins);
			}
		}
	}
	assert_alike();
}

static void files_are_read_and_written_alike(void **state)
{
	static const uint64_t offs[] = {
		0,	    1,	       999,	   1000,
		1001,	    65536,     1ULL << 40, (1ULL << 63) - 1,
		1ULL << 63, UINT64_MAX};
	static const uint64_t lens[] = {0,	1,	1000,	  1001,
					32768,	65536,	261120,	  261121,
					262144, 300000, 1U << 31, UINT32_MAX};
	static const struct wire_bytes names[] = {BYTES("file"), BYTES("big"),
						  BYTES("zero")};

	(void)state;
	for (size_t n = 0; n < COUNT(names); n++) {
		twins_start(&twins, TWINS_SELF);
		open_as(0, names[n], CSFTP_OPEN_READ);
		for (size_t i = 0; i < COUNT(offs); i++)
			for (size_t k = 0; k < COUNT(lens); k++)
				ask(&(struct sftp_msg){.kind = SFTP_READ,
						       .handle =
							       twins_handle(0),
						       .off = offs[i],
						       .len = lens[k]});
		twins_stop(&twins);
		for (size_t i = 0; i < COUNT(offs); i++) {
			if (offs[i] == 1ULL << 40)
				continue;
			twins_start(&twins, TWINS_SELF);
			open_as(0, names[n], CSFTP_OPEN_WRITE);
			ask(&(struct sftp_msg){.kind = SFTP_WRITE,
					       .handle = twins_handle(0),
					       .off = offs[i],
					       .data = BYTES("")});
			ask(&(struct sftp_msg){.kind = SFTP_WRITE,
					       .handle = twins_handle(0),
					       .off = offs[i],
					       .data = BYTES("payload")});
			ask(&(struct sftp_msg){.kind = SFTP_FSTAT,
					       .handle = twins_handle(0)});
			twins_stop(&twins);
		}
	}
	assert_alike();
}

static void ranges_are_copied_alike(void **state)
{
	static const uint64_t offs[] = {0, 10, 1000, 5000, 1ULL << 63};
	static const uint64_t lens[] = {0, 1, 500, 1000, 100000, 1ULL << 63};
	static const uint32_t flags[] = {CSFTP_OPEN_WRITE, CSFTP_OPEN_READ,
					 CSFTP_OPEN_READ | CSFTP_OPEN_WRITE,
					 CSFTP_OPEN_WRITE | CSFTP_OPEN_APPEND};

	(void)state;
	for (size_t f = 0; f < COUNT(flags); f++) {
		for (size_t i = 0; i < COUNT(offs); i++) {
			for (size_t k = 0; k < COUNT(lens); k++) {
				struct sftp_msg msg = {
					.kind = SFTP_COPY_DATA,
					.handle = twins_handle(0),
					.handle2 = twins_handle(1),
					.off = offs[i],
					.len = lens[k],
					.off2 = offs[COUNT(offs) - 2 - i % 4]};

				twins_start(&twins, TWINS_SELF);
				open_as(0, (struct wire_bytes)BYTES("file"),
					CSFTP_OPEN_READ);
				open_as(1, (struct wire_bytes)BYTES("exec"),
					flags[f]);
				ask(&msg);
				msg.handle = twins_handle(1);
				ask(&msg);
				twins_stop(&twins);
			}
		}
	}
	for (size_t k = 0; k < COUNT(lens); k++) {
		twins_start(&twins, TWINS_SELF);
		open_as(0, (struct wire_bytes)BYTES("file"), CSFTP_OPEN_READ);
		open_as(1, (struct wire_bytes)BYTES("file"), CSFTP_OPEN_WRITE);
		ask(&(struct sftp_msg){.kind = SFTP_COPY_DATA,
				       .handle = twins_handle(0),
				       .handle2 = twins_handle(1),
				       .len = lens[k],
				       .off2 = 500});
		ask(&(struct sftp_msg){.kind = SFTP_COPY_DATA,
				       .handle = twins_handle(0),
				       .handle2 = twins_handle(1),
				       .len = lens[k],
				       .off2 = 1000});
		twins_stop(&twins);
	}
	assert_alike();
}

/* A request of each kind, which is whole. */
static struct sftp_msg whole(enum sftp_kind kind)
{
	return (struct sftp_msg){.kind = kind,
				 .path = BYTES("file"),
				 .path2 = BYTES("new"),
				 .num = CSFTP_OPEN_READ,
				 .handle = BYTES("\0\0\0\0"),
				 .handle2 = BYTES("\0\0\0\1"),
				 .data = BYTES("\0\0\0\0"),
				 .data2 = BYTES("\0\0\0\1")};
}

static bool theirs_too(int kind)
{
	return (kind >= SFTP_OPEN && kind <= SFTP_SYMLINK) ||
	       (kind >= SFTP_EXT_FIRST && kind <= SFTP_USERS_GROUPS_BY_ID);
}

static void trailing_bytes_are_taken_alike(void **state)
{
	(void)state;
	for (int kind = SFTP_OPEN; kind < SFTP_KINDS; kind++) {
		struct sftp_msg msg = whole((enum sftp_kind)kind);

		if (!theirs_too(kind))
			continue;
		twins_start(&twins, TWINS_SELF);
		twins_ask_cut(&twins, &msg, 1);
		ask_path(SFTP_STAT, (struct wire_bytes)BYTES("file"));
		twins_stop(&twins);
		twins_start(&twins, TWINS_SELF);
		twins_ask_cut(&twins, &msg, 1000);
		ask_path(SFTP_STAT, (struct wire_bytes)BYTES("file"));
		twins_stop(&twins);
	}
	assert_alike();
}

static void truncated_requests_change_nothing(void **state)
{
	(void)state;
	for (int kind = SFTP_OPEN; kind < SFTP_KINDS; kind++) {
		struct sftp_msg msg = whole((enum sftp_kind)kind);

		if (!theirs_too(kind) || kind == SFTP_LIMITS)
			continue;
		for (int less = 1; less <= 5; less += 4) {
			twins_start(&twins, TWINS_SELF);
			twins_ask_cut(&twins, &msg, -less);
			twins_stop(&twins);
		}
	}
	assert_alike();
}

static void handles_of_nothing_are_refused_alike(void **state)
{
	static const struct wire_bytes handles[] = {
		BYTES(""),
		BYTES("\0"),
		BYTES("\0\0\0\0"),
		BYTES("\0\0\0\1"),
		BYTES("\xff\xff\xff\xff"),
		BYTES("\0\0\0\0\0\0\0\0"),
		BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"),
		{(const uint8_t *)long_name, 256},
		{(const uint8_t *)long_name, 257},
	};
	static const enum sftp_kind kinds[] = {
		SFTP_CLOSE, SFTP_READ,	   SFTP_WRITE,
		SFTP_FSTAT, SFTP_FSETSTAT, SFTP_READDIR,
		SFTP_FSYNC, SFTP_FSTATVFS, SFTP_COPY_DATA};

	(void)state;
	for (size_t i = 0; i < COUNT(handles); i++) {
		for (size_t k = 0; k < COUNT(kinds); k++) {
			twins_start(&twins, TWINS_SELF);
			ask(&(struct sftp_msg){.kind = kinds[k],
					       .handle = handles[i],
					       .handle2 = handles[i],
					       .len = 10,
					       .data = BYTES("data")});
			twins_stop(&twins);
		}
	}
	assert_alike();
}

static void handles_of_directories_are_used_alike(void **state)
{
	(void)state;
	twins_start(&twins, TWINS_SELF);
	ask_path(SFTP_OPENDIR, (struct wire_bytes)BYTES("empty"));
	use_handle(0);
	ask_path(SFTP_OPENDIR, (struct wire_bytes)BYTES("empty"));
	open_as(1, (struct wire_bytes)BYTES("file"), CSFTP_OPEN_READ);
	ask(&(struct sftp_msg){.kind = SFTP_FSETSTAT,
			       .handle = twins_handle(0),
			       .attr = attrs[2]});
	ask(&(struct sftp_msg){.kind = SFTP_COPY_DATA,
			       .handle = twins_handle(1),
			       .handle2 = twins_handle(0)});
	twins_stop(&twins);
	assert_alike();
}

static void users_are_known_alike(void **state)
{
	static const struct wire_bytes names[] = {
		BYTES(""), BYTES("root"), BYTES("nobody"), BYTES("nosuchuser"),
		BYTES("ro\0ot")};
	static const struct wire_bytes ids[] = {BYTES(""),
						BYTES("\0\0\0\0"),
						BYTES("\0\0\0\1\0\0\0\0"),
						BYTES("\xff\xff\xff\xfe"),
						BYTES("\0\0\xff\xfe"),
						BYTES("\0"),
						BYTES("\0\0\0\0\0")};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		twins_start(&twins, TWINS_SELF);
		ask_path(SFTP_HOME_DIRECTORY, names[i]);
		twins_stop(&twins);
	}
	for (size_t i = 0; i < COUNT(ids); i++) {
		for (size_t k = 0; k < COUNT(ids); k++) {
			twins_start(&twins, TWINS_SELF);
			ask(&(struct sftp_msg){.kind = SFTP_USERS_GROUPS_BY_ID,
					       .data = ids[i],
					       .data2 = ids[k]});
			twins_stop(&twins);
		}
	}
	twins_start(&twins, TWINS_SELF);
	ask(&(struct sftp_msg){.kind = SFTP_LIMITS});
	twins_stop(&twins);
	assert_alike();
}

/* Of a type that it does not know, OpenSSH's server never gets rid. */
static void odd_packets_are_taken_alike(void **state)
{
	static const struct {
		const char *name;
		struct wire_bytes bytes;
	} packets[] = {
		{"raw second INIT", BYTES("\1\0\0\0\3")},
		{"raw no id", BYTES("\x11\0\0")},
		{"raw no extension", BYTES("\xc8\0\0\0\1")},
		{"raw empty extension", BYTES("\xc8\0\0\0\1\0\0\0\0")},
		{"raw unknown extension", BYTES("\xc8\0\0\0\1\0\0\0\3x@y")},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(packets); i++) {
		twins_start(&twins, TWINS_SELF);
		twins_ask_raw(&twins, packets[i].name, packets[i].bytes.ptr,
			      packets[i].bytes.len);
		twins_stop(&twins);
	}
	assert_alike();
}

static void rights_are_respected_alike(void **state)
{
	static const struct wire_bytes names[] = {
		BYTES("locked"), BYTES("denied/x"), BYTES("denied/new")};
	static const enum sftp_kind kinds[] = {SFTP_RENAME, SFTP_POSIX_RENAME,
					       SFTP_HARDLINK, SFTP_SYMLINK};

	(void)state;
	if (geteuid() != 0)
		skip_because("root can give up its rights, others have none");
	set_attributes(TWINS_NOBODY);
	remove_names(TWINS_NOBODY);
	for (size_t i = 0; i < COUNT(names); i++) {
		open_with_all_flags(TWINS_NOBODY, names[i]);
		for (size_t k = 0; k < COUNT(kinds); k++) {
			twins_start(&twins, TWINS_NOBODY);
			ask(&(struct sftp_msg){.kind = kinds[k],
					       .path = names[i],
					       .path2 = BYTES("moved")});
			ask(&(struct sftp_msg){.kind = kinds[k],
					       .path = BYTES("file"),
					       .path2 = names[i]});
			twins_stop(&twins);
		}
	}
	assert_alike();
}

static void every_difference_listed_was_seen(void **state)
{
	(void)state;
	twins_all_seen(&twins);
}

static int set_up(void **state)
{
	(void)state;
	memset(long_name, 'n', sizeof(long_name));
	for (size_t i = 0; i < sizeof(long_path); i++)
		long_path[i] = i % 100 == 99 ? '/' : 'p';
	for (size_t i = 0; i < COUNT(paths); i++) {
		if (paths[i].ptr)
			continue;
		paths[i].ptr =
			(const uint8_t *)(paths[i].len == 299 ? long_name
							      : long_path);
	}
	twins_init(&twins, differences, COUNT(differences));
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	twins_release(&twins);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(names_are_looked_at_alike),
		cmocka_unit_test(directories_are_listed_alike),
		cmocka_unit_test(names_are_removed_alike),
		cmocka_unit_test(directories_are_made_alike),
		cmocka_unit_test(attributes_are_set_alike),
		cmocka_unit_test(attributes_of_handles_are_set_alike),
		cmocka_unit_test(files_are_opened_alike),
		cmocka_unit_test(pairs_of_names_are_handled_alike),
		cmocka_unit_test(files_are_read_and_written_alike),
		cmocka_unit_test(ranges_are_copied_alike),
		cmocka_unit_test(trailing_bytes_are_taken_alike),
		cmocka_unit_test(truncated_requests_change_nothing),
		cmocka_unit_test(handles_of_nothing_are_refused_alike),
		cmocka_unit_test(handles_of_directories_are_used_alike),
		cmocka_unit_test(users_are_known_alike),
		cmocka_unit_test(odd_packets_are_taken_alike),
		cmocka_unit_test(rights_are_respected_alike),
		cmocka_unit_test(every_difference_listed_was_seen),
	};

	umask(022);
	return cmocka_run_group_tests(claims, set_up, tear_down) != 0;
}
