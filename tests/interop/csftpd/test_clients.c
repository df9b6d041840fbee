/* Other people's clients, with csftpd. */
#include "tests/lib/subsystem.h"
#include "tests/lib/suites.h"

int main(void)
{
	return suite_clients(subsystem_make_daemon);
}
