/* What programs of other people can do with the public headers alone. */
#include <stdlib.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"

static void openssh_can_use_a_tree_in_memory(void **state)
{
	char dir[PROC_PATH_MAX];
	char server[PROC_PATH_MAX];

	(void)state;
	scratch_make(dir);
	proc_built(server, "tests/examples/serve_memfs");
	must_sh("cd '%s' && head -c 3000000 /dev/urandom >big && "
		": >empty && mkdir -p tree/a && echo inner >tree/a/f\n"
		"cat >batch <<'end'\n"
		"put big\nput empty\nput -r tree\nget big back\n"
		"get -r tree again\nrename big moved\nln -s moved link\n"
		"get link linked\nmkdir dir\nls -l\nls -1 tree/a\ndf\n"
		"rm empty\nrmdir dir\n-get gone\n"
		"end\n"
		"sftp -q -b batch -D '%s trace' >said 2>traced\n"
		"cmp big back && cmp big linked && diff -r tree again\n"
		"grep -q '3000000 .* big$\\|3000000 .* moved$' said\n"
		"grep -qx 'tree/a/f' said\n"
		"grep -q '^<- [0-9]* OPEN \"/big\" pflags ' traced\n"
		"grep -q '^-> [0-9]* STATUS 2 \"No such file' traced",
		dir, server);
	scratch_remove(dir);
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(openssh_can_use_a_tree_in_memory),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
