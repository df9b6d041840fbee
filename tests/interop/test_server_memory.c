/* What csftp-server needs of memory, whatever its client does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csftp/serve.h"
#include "tests/lib/proc.h"
#include "tests/lib/raw.h"
#include "tests/lib/test.h"

#define HANDLES	    1000U
#define LARGE	    CSFTP_SERVE_DATA_MAX
#define RSS_MAX_KIB 8192L

static long resident_kib(const struct raw *raw)
{
	char path[64], line[256];
	FILE *file;
	long kib = 0;

	proc_print(path, sizeof(path), "/proc/%d/status", (int)raw->pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "VmHWM:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	fclose(file);
	assert_true(kib > 0);
	return kib;
}

/* Its buffers have all been used, and 1000 files are open. */
static void a_thousand_open_files_need_less_than_eight_mib(void **state)
{
	char dir[PROC_PATH_MAX], path[2 * PROC_PATH_MAX];
	uint8_t *bytes = calloc(1, LARGE);
	struct wire_bytes handle;
	struct raw raw;

	(void)state;
	assert_non_null(bytes);
	scratch_make(dir);
	proc_print(path, sizeof(path), "%s/f", dir);
	file_write(path, bytes, LARGE);
	raw_spawn(&raw, RAW_SOCKET, dir);
	for (unsigned i = 0; i < HANDLES; i++)
		handle = raw_open(&raw, "f", CSFTP_OPEN_READ | CSFTP_OPEN_WRITE,
				  0);
	for (int i = 0; i < 4; i++) {
		uint8_t head[64];
		struct sftp_msg msg = {.kind = SFTP_WRITE,
				       .handle = handle,
				       .data = {NULL, LARGE}};

		raw_send(&raw, head, raw_encode(&raw, msg, head, sizeof(head)));
		raw_send(&raw, bytes, LARGE);
		raw_hear(&raw);
		assert_int_equal(raw.answer.num, 0);
	}
	/* Answers that wait for their reader, copied. */
	for (int i = 0; i < 8; i++)
		raw_read(&raw, handle, 0, LARGE);
	for (int i = 0; i < 8; i++) {
		raw_hear(&raw);
		assert_int_equal(raw.answer.data.len, LARGE);
	}
	assert_true(resident_kib(&raw) < RSS_MAX_KIB);
	raw_stop(&raw);
	scratch_remove(dir);
	free(bytes);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(
			a_thousand_open_files_need_less_than_eight_mib),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
