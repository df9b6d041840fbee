/*
 * delay PORT MILLISECONDS: a long way to a port of this machine, for the
 * benchmark.  Prints the port to connect to; each byte takes so long, one way.
 * Ends with its standard input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/lib/proxy_run.h"

int main(int argc, char *argv[])
{
	struct proxy_setup setup = {.control = -1, .stop = STDIN_FILENO};
	int port;

	if (argc != 3) {
		(void)fprintf(stderr, "usage: delay PORT MILLISECONDS\n");
		return 2;
	}
	setup.port = (int)strtol(argv[1], NULL, 10);
	setup.one_way_us = (uint64_t)(strtod(argv[2], NULL) * 1000);
	setup.listener = proxy_listen(&port);
	if (setup.listener < 0) {
		perror("delay: listen");
		return 1;
	}
	(void)printf("%d\n", port);
	(void)fflush(stdout);
	if (proxy_run(&setup) != 0) {
		perror("delay");
		return 1;
	}
	return 0;
}
