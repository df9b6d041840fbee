#include "tests/lib/asker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"

/* Questions are in "asked", a line for each in "asked.n". */
void asker_answers(const char *dir, const char *lines)
{
	char path[PROC_PATH_MAX], script[5 * PROC_PATH_MAX];

	proc_print(path, sizeof(path), "%.4000s/askpass", dir);
	proc_print(script, sizeof(script),
		   "#!/bin/sh\n"
		   "cd '%s' || exit 1\n"
		   "printf '%%s\\n' \"$1\" >>asked\n"
		   "n=$(grep -c '' asked.n 2>/dev/null || :)\n"
		   "n=$((${n:-0} + 1))\n"
		   "echo >>asked.n\n"
		   "printf '%s' | sed -n \"${n}p;\\$p\" | head -1\n",
		   dir, lines);
	must_sh("cd '%s' && rm -f asked asked.n", dir);
	file_write(path, script, strlen(script));
	assert_int_equal(chmod(path, 0700), 0);
	setenv("SSH_ASKPASS", path, 1);
	setenv("SSH_ASKPASS_REQUIRE", "force", 1);
}

void asker_was_asked(const char *dir, const char *what)
{
	char path[PROC_PATH_MAX], text[4096] = "";

	proc_print(path, sizeof(path), "%.4000s/asked", dir);
	if (access(path, R_OK) == 0)
		text[file_read(path, text, sizeof(text) - 1)] = '\0';
	must_sh("rm -f '%s.n'", path);
	if (!strstr(text, what))
		fail_msg("\"%s\" was not asked, but: %s", what, text);
}

void asker_forget(void)
{
	unsetenv("SSH_ASKPASS");
	unsetenv("SSH_ASKPASS_REQUIRE");
}

void asker_remove(const char *dir)
{
	must_sh("cd '%s' && rm -f askpass asked asked.n", dir);
}
