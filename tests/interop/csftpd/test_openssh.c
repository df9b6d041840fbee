/* OpenSSH's clients, and sshfs over them, with csftpd. */
#include "tests/lib/subsystem.h"
#include "tests/lib/suites.h"

int main(void)
{
	return suite_openssh(subsystem_make_daemon);
}
