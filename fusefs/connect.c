#include "fusefs/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fusefs/libssh2.h"
#include "fusefs/native.h"
#include "fusefs/run.h"
#include "fusefs/ssh_config.h"
#include "fusefs/ssh_hosts.h"
#include <linux/vm_sockets.h>

static bool add_all(struct strings *argv, const struct strings *from)
{
	bool ok = true;

	for (size_t i = 0; ok && i < from->count; i++)
		ok = strings_add(argv, from->item[i]);
	return ok;
}

static bool add_joined(struct strings *argv, const char *key, const char *value)
{
	size_t size = strlen(key) + strlen(value) + 1;
	char *text = malloc(size);
	bool ok = text != NULL;

	if (ok) {
		(void)snprintf(text, size, "%s%s", key, value);
		ok = strings_add(argv, text);
	}
	free(text);
	return ok;
}

bool connect_argv(const struct options *options, struct strings *argv)
{
	static const char *const fixed[] = {
		"-x",
		"-a",
		"-oClearAllForwardings=yes",
		"-oRemoteCommand=none",
		"-oRequestTTY=no",
	};
	/* Behind what was asked for, which counts: the first of its name. */
	static const char *const alive[] = {
		"-oServerAliveInterval=5",
		"-oServerAliveCountMax=2",
	};
	const char *server =
		options->sftp_server ? options->sftp_server : "sftp";
	bool subsystem = !strchr(server, '/');
	bool ok = true;

	if (options->ssh_command.count > 0)
		ok = add_all(argv, &options->ssh_command);
	else
		ok = strings_add(argv, "ssh");
	for (size_t i = 0; ok && i < sizeof(fixed) / sizeof(*fixed); i++)
		ok = strings_add(argv, fixed[i]);
	if (ok && options->ssh_config)
		ok = strings_add(argv, "-F") &&
		     strings_add(argv, options->ssh_config);
	if (ok && options->port)
		ok = add_joined(argv, "-oPort=", options->port);
	if (ok && options->compression)
		ok = strings_add(argv, "-oCompression=yes");
	/* There is one answer, which does not get better. */
	if (ok && options->password_stdin)
		ok = strings_add(argv, "-oNumberOfPasswordPrompts=1");
	ok = ok && add_all(argv, &options->ssh_options);
	for (size_t i = 0; ok && i < sizeof(alive) / sizeof(*alive); i++)
		ok = strings_add(argv, alive[i]);
	if (ok && subsystem)
		ok = strings_add(argv, "-s");
	return ok && strings_add(argv, "--") &&
	       strings_add(argv, options->login) && strings_add(argv, server);
}

/* Descriptors of our own, as 0 and 1 are to be /dev/null or a terminal. */
static enum csftp_err take_stdio(struct csftp_stream *stream)
{
	int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	int out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	enum csftp_err err = CSFTP_ERR_IO;
	int why;

	if (in >= 0 && out >= 0 && null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
	    dup2(null, STDOUT_FILENO) >= 0)
		err = csftp_stream_fds(stream, in, out);
	why = errno;
	if (err && in >= 0)
		(void)close(in);
	if (err && out >= 0)
		(void)close(out);
	if (null > STDERR_FILENO)
		(void)close(null);
	errno = why;
	return err;
}

struct connector {
	const struct options *options;
	const struct talk *talk;
	enum options_transport transport;
	struct ssh_config own;
	struct ssh_config *config; /* of those that are not ssh */
	struct native native;
	int said; /* what ssh says where nobody can be asked; -1: none */
};

static bool needs_ssh(const struct options *options)
{
	return !options->passive && !options->directport && !options->vsock;
}

/* What is asked for, and what can be done, decide. */
static bool choose(struct connector *connector)
{
	const struct options *options = connector->options;
	const struct talk *talk = connector->talk;
	struct ssh_config *config = connector->config;
	char why[OPTIONS_WHY_MAX];
	bool automatic = options->transport == TRANSPORT_AUTO;

	connector->transport = options->transport;
	if (automatic && options->ssh_command.count > 0) {
		connector->transport = TRANSPORT_SSH;
		talk_detail(talk, "transport=ssh: ssh_command is given");
	}
	if (connector->transport == TRANSPORT_SSH || !needs_ssh(options))
		return true;
	if (!ssh_config_get(config, options, why)) {
		talk_say(talk, "%s", why);
		return false;
	}
	if (connector->transport == TRANSPORT_LIBSSH2)
		libssh2_check(config);
	else
		native_check(config);
	if (automatic && ssh_config_has_ticket(config))
		ssh_config_lacks(config, "gssapiauthentication");
	if (automatic && ssh_hosts_has_authority(config))
		ssh_config_lacks(config, "@cert-authority");
	if (automatic)
		connector->transport =
			config->lacks[0] ? TRANSPORT_SSH : TRANSPORT_NATIVE;
	if (automatic && config->lacks[0])
		talk_detail(talk, "transport=ssh, for: %s", config->lacks);
	else if (automatic)
		talk_detail(talk, "transport=native: it can do all that is "
				  "asked for");
	if (connector->transport == TRANSPORT_SSH || !config->lacks[0])
		return true;
	talk_say(talk, "only transport=ssh can do: %s", config->lacks);
	return false;
}

enum csftp_err connect_new(struct connector **out,
			   const struct options *options,
			   const struct talk *talk)
{
	struct connector *connector = calloc(1, sizeof(*connector));

	if (!connector)
		return CSFTP_ERR_NOMEM;
	connector->options = options;
	connector->talk = talk;
	connector->said = -1;
	connector->config = &connector->own;
	if (!choose(connector)) {
		connect_free(connector);
		return CSFTP_ERR_DENIED;
	}
	*out = connector;
	return CSFTP_OK;
}

enum csftp_err connect_another(struct connector **out,
			       const struct connector *first)
{
	struct connector *connector = calloc(1, sizeof(*connector));

	if (!connector)
		return CSFTP_ERR_NOMEM;
	connector->options = first->options;
	connector->talk = first->talk;
	connector->transport = first->transport;
	connector->config = first->config;
	connector->said = -1;
	if (!native_copy(&connector->native, &first->native)) {
		connect_free(connector);
		return CSFTP_ERR_NOMEM;
	}
	*out = connector;
	return CSFTP_OK;
}

/*
 * Nothing may be asked for, but a password that is there, and nothing may wait
 * for ever.
 */
static bool connect_alone(const struct options *options, struct strings *argv)
{
	static const char *const alone[] = {
		"-oConnectTimeout=15",
		"-oBatchMode=yes",
	};
	size_t count = options->password_stdin ? 1 : 2;
	size_t at = options->ssh_command.count;
	struct strings words = {0};
	bool ok = connect_argv(options, &words);

	at = at > 0 ? at : 1;
	for (size_t i = 0; ok && i < words.count; i++) {
		for (size_t k = 0; ok && i == at && k < count; k++)
			ok = strings_add(argv, alone[k]);
		ok = ok && strings_add(argv, words.item[i]);
	}
	strings_release(&words);
	return ok;
}

/* Its standard error is a pipe of ours, as nobody sees it otherwise. */
static enum csftp_err run_heard(struct connector *connector,
				struct csftp_stream *stream, char *const argv[])
{
	int old = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	enum csftp_err err = CSFTP_ERR_IO;
	int fds[2] = {-1, -1};
	int why;

	if (old >= 0 && pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0 &&
	    fcntl(fds[1], F_SETFL, 0) == 0 &&
	    dup2(fds[1], STDERR_FILENO) >= 0) {
		err = run_shielded(stream, argv);
		why = errno;
		(void)dup2(old, STDERR_FILENO);
	} else {
		why = errno;
	}
	if (fds[1] >= 0)
		(void)close(fds[1]);
	if (old >= 0)
		(void)close(old);
	if (err && fds[0] >= 0)
		(void)close(fds[0]);
	else if (!err)
		connector->said = fds[0];
	errno = why;
	return err;
}

/* To a virtual machine, or from one to its host; "CID:PORT" was checked. */
static enum csftp_err connect_vsock(struct csftp_stream *stream,
				    const char *address)
{
	struct sockaddr_vm to = {.svm_family = AF_VSOCK};
	char *end;
	enum csftp_err err = CSFTP_ERR_IO;
	int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int why;

	if (fd < 0)
		return CSFTP_ERR_IO;
	to.svm_cid = (unsigned)strtoul(address, &end, 10);
	to.svm_port = (unsigned)strtoul(end + 1, NULL, 10);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
		err = csftp_stream_fds(stream, fd, fd);
	if (err) {
		why = errno;
		(void)close(fd);
		errno = why;
	}
	return err;
}

static enum csftp_err run_ssh(struct connector *connector,
			      struct csftp_stream *stream)
{
	const struct options *options = connector->options;
	struct strings argv = {0};
	enum csftp_err err = CSFTP_ERR_NOMEM;

	if (!connector->talk->ask && connect_alone(options, &argv))
		err = run_heard(connector, stream, argv.item);
	else if (connector->talk->ask && connect_argv(options, &argv))
		err = run_shielded(stream, argv.item);
	strings_release(&argv);
	return err;
}

/*
 * ssh has ways in that we have not, such as certificates with an agent; where
 * nothing but keys was tried, it is given a chance.
 */
static enum csftp_err open_native(struct connector *connector,
				  struct csftp_stream *stream)
{
	const struct options *options = connector->options;
	const struct talk *talk = connector->talk;
	enum csftp_err err = native_open(&connector->native, connector->config,
					 options, talk, stream);

	if (err != CSFTP_ERR_DENIED || !connector->native.only_keys ||
	    options->transport != TRANSPORT_AUTO || !talk->ask)
		return err;
	talk_detail(talk, "transport=ssh: it may have another way in");
	if (run_ssh(connector, stream) != CSFTP_OK)
		return err;
	connector->transport = TRANSPORT_SSH;
	return CSFTP_OK;
}

static enum csftp_err connect_direct(struct connector *connector,
				     struct csftp_stream *stream)
{
	const struct options *options = connector->options;
	enum csftp_err err = csftp_stream_connect(stream, options->host,
						  options->directport);

	connector->native.unreached = err != CSFTP_OK;
	return err;
}

enum csftp_err connect_open(struct connector *connector,
			    struct csftp_stream *stream)
{
	const struct options *options = connector->options;

	if (options->passive)
		return take_stdio(stream);
	if (options->directport)
		return connect_direct(connector, stream);
	if (options->vsock)
		return connect_vsock(stream, options->vsock);
	if (connector->transport == TRANSPORT_LIBSSH2)
		return libssh2_open(&connector->native, connector->config,
				    options, connector->talk, stream);
	if (connector->transport == TRANSPORT_NATIVE)
		return open_native(connector, stream);
	return run_ssh(connector, stream);
}

void connect_why(const struct connector *connector, enum csftp_err err,
		 int number, char why[CONNECT_WHY_MAX])
{
	const struct options *options = connector->options;
	const struct ssh_config *config = connector->config;
	const char *reason = csftp_strerror_io(err, number);
	bool proxy = config->proxy_command || config->proxy_jump;

	if (err != CSFTP_ERR_IO || !connector->native.unreached ||
	    (proxy && !options->directport))
		(void)snprintf(why, CONNECT_WHY_MAX, "%s", reason);
	else if (options->directport)
		(void)snprintf(why, CONNECT_WHY_MAX,
			       "connect to host %.255s port %.15s: %s",
			       options->host, options->directport, reason);
	else
		(void)snprintf(why, CONNECT_WHY_MAX,
			       "connect to host %.255s port %u: %s",
			       config->hostname, config->port, reason);
}

enum talk_weight connect_log_level(const struct connector *connector)
{
	return connector->config->log_level;
}

const char *connect_program(const struct connector *connector)
{
	const struct options *options = connector->options;

	if (!needs_ssh(options) || connector->transport != TRANSPORT_SSH)
		return NULL;
	return options->ssh_command.count > 0 ? options->ssh_command.item[0]
					      : "ssh";
}

const char *connect_carrier(const struct connector *connector)
{
	const struct options *options = connector->options;
	const char *program = connect_program(connector);

	if (program)
		return program;
	if (options->passive)
		return "standard input and output";
	if (options->directport)
		return "tcp";
	if (options->vsock)
		return "vsock";
	return connector->transport == TRANSPORT_LIBSSH2 ? "libssh2" : "native";
}

int connect_take_said(struct connector *connector)
{
	int fd = connector->said;

	connector->said = -1;
	return fd;
}

void connect_free(struct connector *connector)
{
	if (!connector)
		return;
	if (connector->said >= 0)
		(void)close(connector->said);
	native_release(&connector->native);
	ssh_config_release(&connector->own);
	free(connector);
}
