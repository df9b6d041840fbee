/* Other people's clients, with csftp-server behind sshd. */
#include "tests/lib/subsystem.h"
#include "tests/lib/suites.h"

int main(void)
{
	return suite_clients(subsystem_make);
}
