#include "server/csftpd/acceptor.h"

#include <errno.h>
#include <unistd.h>

/* Of one socket before the others have their turn. */
enum { AT_ONCE = 16 };

/* How long to wait where the machine is out of descriptors or memory. */
enum { PAUSE_MS = 100 };

static void look(struct acceptor *acceptor);

static void look_away(struct acceptor *acceptor)
{
	for (size_t i = 0; i < acceptor->config.count; i++)
		(void)uv_poll_stop(&acceptor->poll[i]);
}

static void on_timer(uv_timer_t *timer)
{
	look(timer->data);
}

/* What is not this connection's own fault would come again at once. */
static void pause_after(struct acceptor *acceptor, int err)
{
	if (!acceptor->failing)
		acceptor->config.failed(acceptor->config.arg, err);
	acceptor->failing = true;
	look_away(acceptor);
	(void)uv_timer_start(&acceptor->timer, on_timer, PAUSE_MS, 0);
}

static bool is_of_machine(int err)
{
	return err == EMFILE || err == ENFILE || err == ENOBUFS ||
	       err == ENOMEM;
}

/* False: no more now. */
static bool accept_one(struct acceptor *acceptor, int socket)
{
	const struct acceptor_config *config = &acceptor->config;
	struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
	socklen_t len = sizeof(from);
	int fd;

	if (!config->has_place(config->arg)) {
		look_away(acceptor);
		atomic_store(&acceptor->waiting, true);
		/* One may have become free before anybody knew that we wait. */
		if (config->has_place(config->arg))
			acceptor_wake(acceptor);
		return false;
	}
	fd = accept4(socket, (struct sockaddr *)&from, &len,
		     SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0 && is_of_machine(errno))
		pause_after(acceptor, errno);
	/* That it works now and then would only be told again and again. */
	if (fd < 0 && errno == EAGAIN)
		acceptor->failing = false;
	if (fd < 0)
		return false;
	if (!config->place(config->arg, fd, &from))
		close(fd); /* another acceptor had the last place */
	return true;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
	struct acceptor *acceptor = poll->data;
	size_t i = (size_t)(poll - acceptor->poll);

	(void)status;
	(void)events;
	for (unsigned n = 0; n < AT_ONCE; n++)
		if (!accept_one(acceptor, acceptor->config.sockets[i]))
			break;
}

static void look(struct acceptor *acceptor)
{
	for (size_t i = 0; i < acceptor->config.count; i++)
		(void)uv_poll_start(&acceptor->poll[i], UV_READABLE, on_ready);
}

static void on_wake(uv_async_t *async)
{
	struct acceptor *acceptor = async->data;

	if (atomic_load(&acceptor->stopping)) {
		uv_stop(&acceptor->loop);
		return;
	}
	atomic_store(&acceptor->waiting, false);
	look(acceptor);
}

void acceptor_wake(struct acceptor *acceptor)
{
	if (atomic_load(&acceptor->waiting))
		(void)uv_async_send(&acceptor->wake);
}

static void *run(void *arg)
{
	struct acceptor *acceptor = arg;

	acceptor->config.confine(acceptor->config.arg);
	(void)uv_run(&acceptor->loop, UV_RUN_DEFAULT);
	return NULL;
}

bool acceptor_open(struct acceptor *acceptor,
		   const struct acceptor_config *config)
{
	*acceptor = (struct acceptor){.config = *config};
	if (config->count > ACCEPTOR_SOCKETS ||
	    uv_loop_init(&acceptor->loop) != 0 ||
	    uv_async_init(&acceptor->loop, &acceptor->wake, on_wake) != 0)
		return false;
	acceptor->open = true;
	(void)uv_timer_init(&acceptor->loop, &acceptor->timer);
	acceptor->wake.data = acceptor;
	acceptor->timer.data = acceptor;
	for (size_t i = 0; i < config->count; i++) {
		if (uv_poll_init(&acceptor->loop, &acceptor->poll[i],
				 config->sockets[i]) != 0)
			return false;
		acceptor->polls++;
		acceptor->poll[i].data = acceptor;
	}
	look(acceptor);
	return true;
}

bool acceptor_start(struct acceptor *acceptor)
{
	acceptor->started =
		pthread_create(&acceptor->thread, NULL, run, acceptor) == 0;
	return acceptor->started;
}

void acceptor_stop(struct acceptor *acceptor)
{
	if (!acceptor->started)
		return;
	atomic_store(&acceptor->stopping, true);
	(void)uv_async_send(&acceptor->wake);
	(void)pthread_join(acceptor->thread, NULL);
	acceptor->started = false;
}

void acceptor_close(struct acceptor *acceptor)
{
	if (!acceptor->open)
		return;
	for (size_t i = 0; i < acceptor->polls; i++)
		uv_close((uv_handle_t *)&acceptor->poll[i], NULL);
	uv_close((uv_handle_t *)&acceptor->timer, NULL);
	uv_close((uv_handle_t *)&acceptor->wake, NULL);
	(void)uv_run(&acceptor->loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&acceptor->loop);
	acceptor->open = false;
}
