#include "tests/lib/local.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/posixfs.h"
#include "tests/lib/test.h"

int local_set_up(void **state)
{
	struct local *local = calloc(1, sizeof(*local));
	const char *tmp = getenv("TMPDIR");

	if (!local)
		return -1;
	snprintf(local->dir, sizeof(local->dir), "%s/posixfs.XXXXXX",
		 tmp && strlen(tmp) < 32 ? tmp : "/tmp");
	*state = local;
	if (!mkdtemp(local->dir) || chmod(local->dir, 0755) != 0)
		return -1;
	return posixfs_new(&local->c.fs,
			   &(struct posixfs_config){.start = local->dir}) ==
			       CSFTP_OK
		       ? 0
		       : -1;
}

int local_tear_down(void **state)
{
	struct local *local = *state;
	int err = fs_remove_tree(&local->c, local->dir);

	fs_caller_release(&local->c);
	posixfs_free(local->c.fs);
	free(local);
	return err;
}
