#include "tests/lib/ssh_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/proc.h"
#include "tests/lib/test.h"

/* When nothing at all happens for so long, something is wrong. */
enum { QUIET_MS = 60000 };

static bool really_random(void *arg, void *to, size_t len)
{
	(void)arg;
	return getrandom(to, len, 0) == (ssize_t)len;
}

unsigned ssh_side_traced(const struct ssh_side *side, const char *text)
{
	const char *at = (const char *)side->lines;
	unsigned n = 0;

	for (at = strstr(at, text); at; at = strstr(at + 1, text))
		n++;
	return n;
}

static void nothing_happens(const struct ssh_side *side)
{
	fputs((const char *)side->lines, stderr);
	fail_msg("nothing happens");
}

static void start_engine(struct ssh_side *side)
{
	assert_int_equal(csftp_ssh_env_new(&side->env, &side->config),
			 CSFTP_OK);
	side->memory = malloc(csftp_ssh_size(side->env));
	assert_non_null(side->memory);
	side->ssh = csftp_ssh_init(side->env, side->memory);
}

static void stop_engine(struct ssh_side *side)
{
	csftp_ssh_release(side->ssh);
	assert_int_equal(side->borrowed, 0);
	csftp_ssh_env_free(side->env);
	free(side->memory);
	side->ssh = NULL;
}

static void set_up_socket(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* Moves what the socket has and takes; false: the peer has gone. */
static bool move_bytes(struct csftp_ssh *ssh, int fd)
{
	const uint8_t *out;
	size_t len, room;
	uint8_t *in;
	ssize_t n = 1;

	while ((out = csftp_ssh_out(ssh, &len)) && n > 0) {
		n = send(fd, out, len, MSG_NOSIGNAL);
		assert_int_equal(csftp_ssh_out_ack(ssh, n > 0 ? (size_t)n : 0),
				 CSFTP_OK);
	}
	if (n < 0 && errno != EAGAIN)
		return false;
	if (!(csftp_ssh_wants(ssh) & CSFTP_WANT_IN))
		return true;
	in = csftp_ssh_in(ssh, &room);
	if (room == 0)
		return true;
	n = recv(fd, in, room, 0);
	(void)!csftp_ssh_in_ack(ssh, n > 0 ? (size_t)n : 0);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static short events_of(const struct csftp_ssh *ssh)
{
	unsigned wants = csftp_ssh_wants(ssh);
	short events = 0;

	if (wants & CSFTP_WANT_IN)
		events |= POLLIN;
	if (wants & CSFTP_WANT_OUT)
		events |= POLLOUT;
	return events;
}

static void count_event(struct ssh_side *side,
			const struct csftp_ssh_event *event)
{
	size_t len = event->text.len < sizeof(side->text) - 1
			     ? event->text.len
			     : sizeof(side->text) - 1;

	side->count[event->kind]++;
	side->last = *event;
	if (event->text.ptr) {
		memcpy(side->text, event->text.ptr, len);
		side->text[len] = '\0';
	}
}

static void append(uint8_t **to, size_t *len, size_t *cap,
		   struct csftp_ssh_bytes data)
{
	if (data.len > *cap - *len) {
		*cap = 2 * (*cap + data.len);
		*to = realloc(*to, *cap);
		assert_non_null(*to);
	}
	memcpy(*to + *len, data.ptr, data.len);
	*len += data.len;
}

/* The server. */

void ssh_serve_init(struct ssh_serve *serve)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);

	*serve = (struct ssh_serve){.fd = -1};
	serve->side.config = ssh_side_config(&serve->side, CSFTP_SSH_SERVER);
	serve->side.config.random = really_random;
	serve->side.traces = true;
	serve->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(serve->listener >= 0);
	assert_int_equal(bind(serve->listener, (struct sockaddr *)&addr, len),
			 0);
	assert_int_equal(listen(serve->listener, 8), 0);
	assert_int_equal(
		getsockname(serve->listener, (struct sockaddr *)&addr, &len),
		0);
	serve->port = ntohs(addr.sin_port);
	serve->sftp = "/usr/lib/openssh/sftp-server";
}

void ssh_serve_stop(struct ssh_serve *serve)
{
	close(serve->listener);
	free(serve->queue);
}

_Noreturn static void be_child(const char *command, int in, int out, int err)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(err, 2);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static void run_child(struct ssh_serve *serve, const char *command)
{
	int in[2], out[2], err[2];

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	serve->pid = fork();
	assert_true(serve->pid >= 0);
	if (serve->pid == 0)
		be_child(command, in[0], out[1], err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	serve->to_child = in[1];
	serve->from_child = out[0];
	serve->err_child = err[0];
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static bool same(struct csftp_ssh_bytes bytes, const char *text)
{
	return text && bytes.len == strlen(text) &&
	       memcmp(bytes.ptr, text, bytes.len) == 0;
}

static enum csftp_ssh_answer judge(struct ssh_serve *serve,
				   const struct csftp_ssh_event *event)
{
	if (serve->user && !same(event->user, serve->user))
		return CSFTP_SSH_NO;
	if (event->method == CSFTP_SSH_AUTH_PASSWORD) {
		if (!same(event->password, serve->password))
			return CSFTP_SSH_NO;
		return serve->partly && !serve->key_seen ? CSFTP_SSH_PARTLY
							 : CSFTP_SSH_YES;
	}
	if (event->method != CSFTP_SSH_AUTH_PUBLICKEY || !serve->user_key.ptr ||
	    event->key.len != serve->user_key.len ||
	    memcmp(event->key.ptr, serve->user_key.ptr, event->key.len) != 0)
		return CSFTP_SSH_NO;
	if (event->query || !serve->partly)
		return CSFTP_SSH_YES;
	serve->key_seen = true;
	return CSFTP_SSH_PARTLY;
}

static void on_request(struct ssh_serve *serve,
		       const struct csftp_ssh_event *event)
{
	bool good = event->request == CSFTP_SSH_ENV;
	char command[4096];

	if ((event->request == CSFTP_SSH_EXEC ||
	     event->request == CSFTP_SSH_SUBSYSTEM) &&
	    serve->pid == 0) {
		proc_print(command, sizeof(command), "%.*s",
			   (int)event->data.len, (const char *)event->data.ptr);
		run_child(serve, event->request == CSFTP_SSH_EXEC
					 ? command
					 : serve->sftp);
		good = true;
	}
	if (event->question)
		assert_int_equal(
			csftp_ssh_answer(serve->side.ssh,
					 good ? CSFTP_SSH_YES : CSFTP_SSH_NO),
			CSFTP_OK);
}

static void on_serve_event(struct ssh_serve *serve,
			   const struct csftp_ssh_event *event)
{
	enum csftp_ssh_answer answer = CSFTP_SSH_YES;

	if (event->kind == CSFTP_SSH_AUTH)
		answer = judge(serve, event);
	if (event->kind == CSFTP_SSH_CHANNEL_OPEN) {
		serve->channel = event->channel;
		if (serve->sessions++ > 0)
			answer = CSFTP_SSH_NO;
	}
	if (event->kind == CSFTP_SSH_REQUEST)
		on_request(serve, event);
	else if (event->question)
		assert_int_equal(csftp_ssh_answer(serve->side.ssh, answer),
				 CSFTP_OK);
	if (event->kind == CSFTP_SSH_DATA)
		append(&serve->queue, &serve->queue_len, &serve->queue_cap,
		       event->data);
	if (event->kind == CSFTP_SSH_EOF)
		serve->eof = true;
	if (event->kind == CSFTP_SSH_CLOSED)
		serve->over = true;
}

/*
 * Gives the program what it takes.  The rest is kept here, not in the engine:
 * what the program waits for may stand behind it.
 */
static void feed_child(struct ssh_serve *serve)
{
	ssize_t n;

	if (serve->to_child >= 0 && serve->queue_len > 0) {
		n = write(serve->to_child, serve->queue, serve->queue_len);
		if (n < 0 && errno == EAGAIN)
			return;
		/* A program that is gone takes everything. */
		if (n < 0)
			n = (ssize_t)serve->queue_len;
		serve->queue_len -= (size_t)n;
		memmove(serve->queue, serve->queue + n, serve->queue_len);
		(void)!csftp_ssh_consumed(serve->side.ssh, serve->channel,
					  (size_t)n);
	}
	if (serve->queue_len == 0 && serve->eof)
		close_fd(&serve->to_child);
}

static void take_events(struct ssh_serve *serve)
{
	struct csftp_ssh_event event;

	feed_child(serve);
	while (csftp_ssh_event(serve->side.ssh, &event)) {
		count_event(&serve->side, &event);
		on_serve_event(serve, &event);
		feed_child(serve);
	}
}

/* From the program right into a packet; false: there is no room. */
static bool pull(struct ssh_serve *serve, int *fd, enum csftp_ssh_data which)
{
	size_t room;
	uint8_t *to;
	ssize_t n;

	if (*fd < 0)
		return true;
	to = csftp_ssh_room(serve->side.ssh, serve->channel, which, &room);
	if (room == 0)
		return false;
	n = read(*fd, to, room);
	(void)!csftp_ssh_send(serve->side.ssh, serve->channel,
			      n > 0 ? (size_t)n : 0);
	if (n == 0)
		close_fd(fd);
	return true;
}

static void finish_child(struct ssh_serve *serve)
{
	struct csftp_ssh *ssh = serve->side.ssh;
	int status;

	if (serve->pid == 0 || serve->from_child >= 0 || serve->err_child >= 0)
		return;
	assert_int_equal(waitpid(serve->pid, &status, 0), serve->pid);
	serve->pid = 0;
	close_fd(&serve->to_child);
	if (WIFEXITED(status))
		(void)!csftp_ssh_exit_status(ssh, serve->channel,
					     (uint32_t)WEXITSTATUS(status));
	else
		(void)!csftp_ssh_exit_signal(ssh, serve->channel, "KILL", "");
	(void)!csftp_ssh_send_eof(ssh, serve->channel);
	(void)!csftp_ssh_channel_close(ssh, serve->channel);
}

static void wait_for_work(struct ssh_serve *serve, bool room_out, bool room_err)
{
	struct pollfd set[4] = {
		{.fd = serve->fd, .events = events_of(serve->side.ssh)},
		{.fd = serve->queue_len > 0 ? serve->to_child : -1,
		 .events = POLLOUT},
		{.fd = room_out ? serve->from_child : -1, .events = POLLIN},
		{.fd = room_err ? serve->err_child : -1, .events = POLLIN},
	};

	if (poll(set, 4, QUIET_MS) <= 0)
		nothing_happens(&serve->side);
}

static void serve_connection(struct ssh_serve *serve)
{
	bool room_out = false, room_err = false;

	while (!serve->over) {
		take_events(serve);
		if (serve->over)
			break;
		if (serve->pid != 0) {
			room_out = pull(serve, &serve->from_child,
					CSFTP_SSH_STDOUT);
			room_err = pull(serve, &serve->err_child,
					CSFTP_SSH_STDERR);
			finish_child(serve);
		}
		wait_for_work(serve, room_out, room_err);
		if (!move_bytes(serve->side.ssh, serve->fd))
			csftp_ssh_close(serve->side.ssh, CSFTP_ERR_EOF);
	}
	(void)move_bytes(serve->side.ssh, serve->fd);
}

static bool accept_from(struct ssh_serve *serve, pid_t peer)
{
	struct pollfd set = {.fd = serve->listener, .events = POLLIN};
	siginfo_t info = {.si_pid = 0};

	while (poll(&set, 1, 100) == 0)
		if (waitid(P_PID, (id_t)peer, &info,
			   WEXITED | WNOHANG | WNOWAIT) != 0 ||
		    info.si_pid == peer)
			return false;
	serve->fd = accept4(serve->listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(serve->fd >= 0);
	set_up_socket(serve->fd);
	return true;
}

void ssh_serve_one(struct ssh_serve *serve, pid_t peer)
{
	if (!accept_from(serve, peer))
		return;
	serve->over = false;
	serve->queue_len = 0;
	serve->eof = false;
	serve->pid = 0;
	serve->sessions = 0;
	serve->key_seen = false;
	serve->to_child = serve->from_child = serve->err_child = -1;
	start_engine(&serve->side);
	serve_connection(serve);
	stop_engine(&serve->side);
	close_fd(&serve->fd);
	close_fd(&serve->to_child);
	close_fd(&serve->from_child);
	close_fd(&serve->err_child);
	if (serve->pid != 0)
		proc_stop(serve->pid);
	serve->pid = 0;
}

/* The client. */

void ssh_dial_init(struct ssh_dial *dial, int port)
{
	*dial = (struct ssh_dial){.port = port, .fd = -1};
	dial->side.config = ssh_side_config(&dial->side, CSFTP_SSH_CLIENT);
	dial->side.config.random = really_random;
	dial->side.traces = true;
	dial->side.keep = true;
}

void ssh_dial_release(struct ssh_dial *dial)
{
	free(dial->side.got);
}

static void log_in(struct ssh_dial *dial)
{
	struct csftp_ssh *ssh = dial->side.ssh;
	enum csftp_err err;

	if (dial->keyboard)
		err = csftp_ssh_auth_keyboard(ssh, dial->user);
	else if (dial->password)
		err = csftp_ssh_auth_password(ssh, dial->user, dial->password,
					      strlen(dial->password));
	else if (dial->signer.sign && dial->try_first)
		err = csftp_ssh_auth_try_key(ssh, dial->user, dial->signer.key);
	else if (dial->signer.sign)
		err = csftp_ssh_auth_key(ssh, dial->user, &dial->signer);
	else
		err = csftp_ssh_auth_none(ssh, dial->user);
	assert_int_equal(err, CSFTP_OK);
}

static void answer_prompts(struct ssh_dial *dial,
			   const struct csftp_ssh_event *event)
{
	struct csftp_ssh_bytes answer = {(const uint8_t *)dial->password,
					 strlen(dial->password)};
	struct csftp_ssh_bytes text;
	bool echo;

	for (uint32_t i = 0; i < event->prompts; i++) {
		assert_int_equal(csftp_ssh_prompt(event, i, &text, &echo),
				 CSFTP_OK);
		assert_false(echo);
	}
	assert_int_equal(
		csftp_ssh_auth_answers(dial->side.ssh, &answer, event->prompts),
		CSFTP_OK);
}

static void start_program(struct ssh_dial *dial)
{
	struct csftp_ssh *ssh = dial->side.ssh;
	enum csftp_err err;

	err = dial->subsystem
		      ? csftp_ssh_subsystem(ssh, dial->channel, dial->subsystem)
		      : csftp_ssh_exec(ssh, dial->channel, dial->command);
	assert_int_equal(err, CSFTP_OK);
}

static void on_dial_request(struct ssh_dial *dial,
			    const struct csftp_ssh_event *event)
{
	if (event->request == CSFTP_SSH_EXIT_STATUS) {
		dial->status = event->number;
		dial->status_known = true;
	} else if (event->request == CSFTP_SSH_EXIT_SIGNAL) {
		proc_print(dial->signal, sizeof(dial->signal), "%.*s",
			   (int)event->data.len, (const char *)event->data.ptr);
	}
}

static void on_dial_event(struct ssh_dial *dial,
			  const struct csftp_ssh_event *event)
{
	struct csftp_ssh *ssh = dial->side.ssh;

	if (event->kind == CSFTP_SSH_READY)
		log_in(dial);
	else if (event->kind == CSFTP_SSH_AUTH_KEY_OK)
		assert_int_equal(
			csftp_ssh_auth_key(ssh, dial->user, &dial->signer),
			CSFTP_OK);
	else if (event->kind == CSFTP_SSH_AUTH_PROMPTS)
		answer_prompts(dial, event);
	else if (event->kind == CSFTP_SSH_AUTH_FAILED)
		csftp_ssh_disconnect(ssh, CSFTP_SSH_BY_APPLICATION, "no way");
	else if (event->kind == CSFTP_SSH_AUTH_OK)
		assert_int_equal(csftp_ssh_open(ssh, &dial->channel), CSFTP_OK);
	else if (event->kind == CSFTP_SSH_OPENED)
		start_program(dial);
	else if (event->kind == CSFTP_SSH_REQUEST)
		on_dial_request(dial, event);
	else if (event->kind == CSFTP_SSH_CHANNEL_CLOSED)
		csftp_ssh_disconnect(ssh, CSFTP_SSH_BY_APPLICATION, "done");
	else if (event->kind == CSFTP_SSH_CLOSED)
		dial->over = true;
	if (event->kind == CSFTP_SSH_DATA) {
		append(&dial->side.got, &dial->side.got_len,
		       &dial->side.got_cap, event->data);
		assert_int_equal(csftp_ssh_consumed(ssh, event->channel,
						    event->data.len),
				 CSFTP_OK);
	}
	if (event->question)
		assert_int_equal(csftp_ssh_answer(ssh, CSFTP_SSH_YES),
				 CSFTP_OK);
}

static void send_input(struct ssh_dial *dial)
{
	struct csftp_ssh *ssh = dial->side.ssh;
	size_t room;
	uint8_t *to;

	if (dial->side.count[CSFTP_SSH_REPLY] == 0 || dial->over)
		return;
	while (dial->sent < dial->in_len) {
		if (dial->rekey_every > 0 && dial->sent >= dial->next_rekey &&
		    csftp_ssh_rekey(ssh) == CSFTP_OK)
			dial->next_rekey = dial->sent + dial->rekey_every;
		to = csftp_ssh_room(ssh, dial->channel, CSFTP_SSH_STDOUT,
				    &room);
		if (room == 0)
			return;
		if (room > dial->in_len - dial->sent)
			room = dial->in_len - dial->sent;
		memcpy(to, dial->in + dial->sent, room);
		assert_int_equal(csftp_ssh_send(ssh, dial->channel, room),
				 CSFTP_OK);
		dial->sent += room;
	}
	if (dial->side.got_len < dial->eof_after)
		return;
	/* Once; after that it is not the time any more. */
	(void)!csftp_ssh_send_eof(ssh, dial->channel);
}

static void connect_to(struct ssh_dial *dial)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)dial->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	dial->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(dial->fd >= 0);
	assert_int_equal(
		connect(dial->fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	set_up_socket(dial->fd);
}

void ssh_dial_run(struct ssh_dial *dial)
{
	struct csftp_ssh_event event;

	connect_to(dial);
	start_engine(&dial->side);
	while (!dial->over) {
		struct pollfd set = {.fd = dial->fd};

		while (csftp_ssh_event(dial->side.ssh, &event)) {
			count_event(&dial->side, &event);
			on_dial_event(dial, &event);
		}
		send_input(dial);
		if (dial->over)
			break;
		set.events = events_of(dial->side.ssh);
		if (poll(&set, 1, QUIET_MS) <= 0)
			nothing_happens(&dial->side);
		if (!move_bytes(dial->side.ssh, dial->fd))
			csftp_ssh_close(dial->side.ssh, CSFTP_ERR_EOF);
	}
	(void)move_bytes(dial->side.ssh, dial->fd);
	stop_engine(&dial->side);
	close_fd(&dial->fd);
}
