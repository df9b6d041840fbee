/*
 * Prints a C source with the seccomp filter of server/sandbox.h.  It is the
 * same at each start but for two numbers, so it is made with the program, for
 * the machine that this runs on.
 *
 * libseccomp knows the numbers of the calls.  It could make the filter, too;
 * but what it makes has two instructions for each call, and the kernel compiles
 * it at each start.  One for each range of numbers with the same answer is a
 * third of that, also in time.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "server/filter.h"
#include "server/filter/calls.h"

/* Linux has fewer; a call that is not in the table below it does not know. */
#define CALL_MAX 1024U

/* Numbers from here on are those of x32, which is another architecture. */
#define X32_BIT 0x40000000U

/* What becomes of a call: an end of the filter. */
enum end {
	END_DEFAULT, /* ENOSYS, with which the C library can go on */
	END_ALLOW,
	END_KILL,
	END_NO_CODE2, /* the third argument must not have PROT_EXEC */
	END_OUR_PID,  /* the first must be our process ... */
	END_LOG_FD,   /* ... or the log */
	END_NO_OWNER, /* the second is none of those about signals */
	END_COUNT
};

/*
 * An instruction, with its ways on by the index of another one: instructions
 * are moved no more once they are there, but most ways lead to what follows.
 */
struct step {
	struct sock_filter code;
	unsigned yes;
	unsigned no;
};

/* An end whose place is not known yet. */
#define TO_END(end) (FILTER_MAX + (unsigned)(end))

struct program {
	struct step step[FILTER_MAX];
	unsigned count;
	unsigned end_at[END_COUNT];
	unsigned pid_at;
	unsigned log_at;
};

/* A range of calls lasts until the next one begins. */
struct range {
	uint32_t first;
	enum end end;
};

static void die(const char *what)
{
	fprintf(stderr, "make_filter: %s\n", what);
	exit(EXIT_FAILURE);
}

static unsigned add(struct program *program, uint16_t code, uint32_t k)
{
	unsigned at = program->count;

	if (at == FILTER_MAX)
		die("the filter is too long");
	program->step[at] = (struct step){.code = {.code = code, .k = k}};
	program->count++;
	return at;
}

static void add_load(struct program *program, size_t offset)
{
	(void)add(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

static unsigned add_jump(struct program *program, uint16_t test, uint32_t k,
			 unsigned yes, unsigned no)
{
	unsigned at = add(program, BPF_JMP | BPF_K | test, k);

	program->step[at].yes = yes;
	program->step[at].no = no;
	return at;
}

/* A tree of comparisons for these ranges; returns where it begins. */
static unsigned add_tree(struct program *program, const struct range *range,
			 size_t count)
{
	size_t half = count / 2;
	unsigned at;

	if (count == 1)
		return TO_END(range->end);
	at = add_jump(program, BPF_JGE, range[half].first, 0, 0);
	program->step[at].no = add_tree(program, range, half);
	program->step[at].yes = add_tree(program, range + half, count - half);
	return at;
}

static size_t argument(unsigned index, bool high)
{
	size_t at = offsetof(struct seccomp_data, args) + index * 8;

	return at + (high == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)) * 4U;
}

/* An argument has 64 bits, an instruction compares 32; returns where. */
static unsigned add_equal(struct program *program, unsigned index)
{
	unsigned next = program->count + 2;

	add_load(program, argument(index, true));
	(void)add_jump(program, BPF_JEQ, 0, next, TO_END(END_DEFAULT));
	add_load(program, argument(index, false));
	return add_jump(program, BPF_JEQ, 0, TO_END(END_ALLOW),
			TO_END(END_DEFAULT));
}

/*
 * The commands that everybody knows are below F_SETOWN, Linux's own, such as
 * that for the size of a pipe, are F_DUPFD_CLOEXEC and above; between them are
 * leases and the watching of directories, which send signals, too.  A command
 * has 32 bits.
 */
static void add_no_owner(struct program *program)
{
	unsigned next = program->count + 2;

	add_load(program, argument(1, false));
	(void)add_jump(program, BPF_JGE, F_SETOWN, next, TO_END(END_ALLOW));
	(void)add_jump(program, BPF_JGE, F_DUPFD_CLOEXEC, TO_END(END_ALLOW),
		       TO_END(END_DEFAULT));
}

static void add_end(struct program *program, enum end end)
{
	program->end_at[end] = program->count;
	switch (end) {
	case END_DEFAULT:
		add(program, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
		break;
	case END_ALLOW:
		add(program, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
		break;
	case END_KILL:
		add(program, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
		break;
	case END_NO_CODE2:
		add_load(program, argument(2, false));
		add_jump(program, BPF_JSET, PROT_EXEC, TO_END(END_DEFAULT),
			 TO_END(END_ALLOW));
		break;
	case END_OUR_PID:
		program->pid_at = add_equal(program, 0);
		break;
	case END_LOG_FD:
		program->log_at = add_equal(program, 0);
		break;
	case END_NO_OWNER:
		add_no_owner(program);
		break;
	case END_COUNT:
		break;
	}
}

/* A call that this library does not know cannot be said anything of. */
static void set(enum end *table, const char *name, enum end end)
{
	int number = seccomp_syscall_resolve_name(name);

	/* Negative: only another architecture has it. */
	if (number < 0)
		return;
	if ((unsigned)number >= CALL_MAX || table[number] != END_DEFAULT)
		die(name);
	table[number] = end;
}

static void set_all(enum end *table, const char *names, enum end end)
{
	while (*names) {
		size_t len = strcspn(names, " ");
		char name[32];

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, names);
		set(table, name, end);
		names += len + (names[len] == ' ');
	}
}

static size_t find_ranges(struct range *range)
{
	static enum end table[CALL_MAX];
	size_t count = 0;

	set_all(table, CALLS_ALLOWED, END_ALLOW);
	set_all(table, CALLS_DEADLY, END_KILL);
	set(table, "mmap", END_NO_CODE2);
	set(table, "mprotect", END_NO_CODE2);
	set(table, "tgkill", END_OUR_PID);
	set(table, "connect", END_LOG_FD);
	set(table, "fcntl", END_NO_OWNER);
	for (uint32_t i = 0; i < CALL_MAX; i++)
		if (count == 0 || table[i] != range[count - 1].end)
			range[count++] = (struct range){i, table[i]};
	if (seccomp_arch_native() == SCMP_ARCH_X86_64)
		range[count++] = (struct range){X32_BIT, END_KILL};
	return count;
}

static uint8_t distance(const struct program *program, unsigned from,
			unsigned to)
{
	if (to >= FILTER_MAX)
		to = program->end_at[to - FILTER_MAX];
	if (to <= from || to - from - 1 > UINT8_MAX)
		die("a jump is too far");
	return (uint8_t)(to - from - 1);
}

static void make(struct program *program)
{
	static struct range range[CALL_MAX + 1];
	size_t count = find_ranges(range);
	unsigned next;

	add_load(program, offsetof(struct seccomp_data, arch));
	next = program->count + 1;
	(void)add_jump(program, BPF_JEQ, seccomp_arch_native(), next,
		       TO_END(END_KILL));
	add_load(program, offsetof(struct seccomp_data, nr));
	(void)add_tree(program, range, count);
	/* What a condition leads to stands behind it. */
	for (int end = END_COUNT - 1; end >= 0; end--)
		add_end(program, (enum end)end);
	for (unsigned i = 0; i < program->count; i++) {
		struct step *step = &program->step[i];

		if (BPF_CLASS(step->code.code) != BPF_JMP)
			continue;
		step->code.jt = distance(program, i, step->yes);
		step->code.jf = distance(program, i, step->no);
	}
}

int main(void)
{
	static struct program program;

	make(&program);
	printf("/* Made by server/filter/make_filter.c. */\n"
	       "#include \"server/filter.h\"\n\n"
	       "const struct sock_filter filter_code[] = {\n");
	for (unsigned i = 0; i < program.count; i++) {
		const struct sock_filter *code = &program.step[i].code;

		printf("\t{0x%x, %u, %u, 0x%xU},\n", code->code, code->jt,
		       code->jf, code->k);
	}
	printf("};\n"
	       "const unsigned short filter_len = %u;\n"
	       "const unsigned short filter_pid_at = %u;\n"
	       "const unsigned short filter_log_at = %u;\n",
	       program.count, program.pid_at, program.log_at);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
