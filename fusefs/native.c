#include "fusefs/native.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/stream/ssh.h"
#include "fusefs/ssh_dial.h"
#include "fusefs/ssh_hosts.h"
#include "fusefs/ssh_login.h"

extern char **environ;

#define GRACE_MS 1000U

/* At 100 ms round trip this is 640 MiB a second. */
#define WINDOW (64U << 20)

/* What the engine lets wait for replies. */
#define ENV_MAX 32

/*
 * Algorithms
 */

static bool knows(enum csftp_ssh_alg_kind kind, const char *name, size_t len)
{
	const char *have;

	for (size_t i = 0; (have = csftp_ssh_algorithms(kind, i)); i++)
		if (strlen(have) == len && !strncmp(have, name, len))
			return true;
	return false;
}

static void put_name(char *list, const char *name, size_t len)
{
	size_t at = strlen(list);

	if (at > 0)
		list[at++] = ',';
	memcpy(list + at, name, len);
	list[at + len] = '\0';
}

/* Those of a list that we have, in its order; "" if we have none. */
static void keep_known(char *list, enum csftp_ssh_alg_kind kind)
{
	char *copy = strdup(list);
	const char *at = copy;

	if (!copy)
		return;
	list[0] = '\0';
	while (*at) {
		size_t len = strcspn(at, ",");

		if (knows(kind, at, len))
			put_name(list, at, len);
		at += len + (at[len] ? 1 : 0);
	}
	free(copy);
}

static void check_list(struct ssh_config *config, char *list,
		       enum csftp_ssh_alg_kind kind, const char *keyword)
{
	if (!list)
		return;
	keep_known(list, kind);
	if (!*list)
		ssh_config_lacks(config, keyword);
}

/*
 * Who asks for a key exchange that withstands quantum computers is not given
 * another one: what is recorded today can be read then.
 */
static bool wants_quantum(const char *kex)
{
	return (!strncmp(kex, "sntrup", 6) || !strncmp(kex, "mlkem", 5)) &&
	       !knows(CSFTP_SSH_ALG_KEX, kex, strcspn(kex, ","));
}

void native_check(struct ssh_config *config)
{
	if (config->kex && wants_quantum(config->kex))
		ssh_config_lacks(config, "kexalgorithms");
	check_list(config, config->ciphers, CSFTP_SSH_ALG_CIPHER, "ciphers");
	check_list(config, config->kex, CSFTP_SSH_ALG_KEX, "kexalgorithms");
	check_list(config, config->hostkeys, CSFTP_SSH_ALG_HOSTKEY,
		   "hostkeyalgorithms");
	/* The best ciphers need none, so this is a matter of the rest. */
	check_list(config, config->macs, CSFTP_SSH_ALG_MAC, "macs");
}

/*
 * The channel
 */

static enum csftp_err await(struct ssh_login *login,
			    enum csftp_ssh_event_kind kind,
			    struct csftp_ssh_event *event)
{
	enum csftp_err err;

	do {
		err = ssh_login_next(login, event);
		if (err == CSFTP_OK && event->question)
			(void)!csftp_ssh_answer(ssh_io_engine(login->io),
						CSFTP_SSH_NO);
		/* There is no session without it. */
		if (err == CSFTP_OK &&
		    (event->kind == CSFTP_SSH_REFUSED ||
		     event->kind == CSFTP_SSH_EOF ||
		     event->kind == CSFTP_SSH_CHANNEL_CLOSED ||
		     event->kind == CSFTP_SSH_DATA))
			return CSFTP_ERR_EOF;
	} while (err == CSFTP_OK && event->kind != kind);
	return err;
}

static unsigned send_one_env(struct csftp_ssh *ssh, uint32_t channel,
			     const char *text)
{
	const char *equals = strchr(text, '=');
	char *name;
	unsigned sent = 0;

	if (!equals)
		return 0;
	name = strndup(text, (size_t)(equals - text));
	if (name &&
	    csftp_ssh_setenv(ssh, channel, name, equals + 1) == CSFTP_OK)
		sent = 1;
	free(name);
	return sent;
}

static bool is_to_be_sent(const struct ssh_config *config, const char *text)
{
	size_t len = strcspn(text, "=");
	char *name = strndup(text, len);
	bool wanted = false;

	for (size_t i = 0; name && i < config->send_env.count; i++)
		wanted = wanted ||
			 fnmatch(config->send_env.item[i], name, 0) == 0;
	free(name);
	return wanted;
}

/* SendEnv and SetEnv; how many replies follow. */
static unsigned send_env(struct csftp_ssh *ssh, uint32_t channel,
			 const struct ssh_config *config)
{
	unsigned sent = 0;

	for (char **at = environ; *at && sent < ENV_MAX; at++)
		if (is_to_be_sent(config, *at))
			sent += send_one_env(ssh, channel, *at);
	for (size_t i = 0; i < config->set_env.count && sent < ENV_MAX; i++)
		sent += send_one_env(ssh, channel, config->set_env.item[i]);
	return sent;
}

static enum csftp_err start_sftp(struct ssh_login *login,
				 const struct options *options,
				 uint32_t *channel)
{
	struct csftp_ssh *ssh = ssh_io_engine(login->io);
	const char *server =
		options->sftp_server ? options->sftp_server : "sftp";
	struct csftp_ssh_event event = {.ok = false};
	enum csftp_err err = csftp_ssh_open(ssh, channel);
	unsigned replies = 1;

	if (err == CSFTP_OK)
		err = await(login, CSFTP_SSH_OPENED, &event);
	if (err != CSFTP_OK)
		return err;
	replies += send_env(ssh, *channel, login->config);
	err = strchr(server, '/') ? csftp_ssh_exec(ssh, *channel, server)
				  : csftp_ssh_subsystem(ssh, *channel, server);
	while (err == CSFTP_OK && replies-- > 0)
		err = await(login, CSFTP_SSH_REPLY, &event);
	if (err != CSFTP_OK || event.ok)
		return err;
	talk_tell(login->talk, TALK_FATAL,
		  "subsystem request failed on channel 0");
	return CSFTP_ERR_DENIED;
}

/*
 * The connection
 */

static void say(void *arg, const char *text)
{
	const struct talk *talk = arg;

	talk_say(talk, "%s", text);
}

static enum csftp_err make_io(struct ssh_io **io, const struct ssh_config *c,
			      const struct talk *talk,
			      const struct csftp_stream *below)
{
	char *hostkeys = ssh_hosts_order(c);
	struct ssh_io_config config = {
		.ssh = {.role = CSFTP_SSH_CLIENT,
			.cipher = c->ciphers,
			.kex = c->kex,
			.hostkey = hostkeys,
			.mac = c->macs,
			.channels = 1,
			.window = WINDOW,
			.window_max = WINDOW,
			.rekey_bytes = c->rekey_bytes,
			.rekey_ms = 1000 * c->rekey_seconds},
		.rfd = below->rfd,
		.wfd = below->wfd,
		.pid = below->pid,
		.alive_ms = 1000ULL * c->alive_interval,
		.alive_max = c->alive_max,
		.say = say,
		.arg = (void *)(uintptr_t)talk,
	};
	enum csftp_err err =
		hostkeys ? ssh_io_new(io, &config) : CSFTP_ERR_NOMEM;

	free(hostkeys);
	return err;
}

enum csftp_err native_open(struct native *native, struct ssh_config *config,
			   const struct options *options,
			   const struct talk *talk, struct csftp_stream *stream)
{
	char peer[SSH_DIAL_NAME_MAX];
	struct ssh_login login = {.config = config,
				  .talk = talk,
				  .peer = peer,
				  .keys = &native->keys,
				  .password = native->password};
	struct csftp_stream below;
	uint32_t channel = 0;
	enum csftp_err err = ssh_dial(&below, config, options, talk, peer);
	int why;

	native->unreached = err != CSFTP_OK;
	if (err != CSFTP_OK)
		return err;
	err = make_io(&login.io, config, talk, &below);
	if (err != CSFTP_OK) {
		(void)csftp_stream_close(&below, GRACE_MS);
		return err;
	}
	err = ssh_login_run(&login);
	native->password = login.password;
	native->only_keys = login.no_way_in && !login.asked;
	if (err == CSFTP_OK)
		err = start_sftp(&login, options, &channel);
	if (err == CSFTP_OK) {
		ssh_io_stream(login.io, channel, stream);
		return CSFTP_OK;
	}
	why = errno;
	ssh_io_free(login.io, GRACE_MS);
	errno = why;
	return err;
}

bool native_copy(struct native *to, const struct native *from)
{
	*to = (struct native){.password = NULL};
	if (from->password)
		to->password = strdup(from->password);
	return (to->password || !from->password) &&
	       ssh_keyring_copy(&to->keys, &from->keys);
}

void native_release(struct native *native)
{
	ssh_keyring_release(&native->keys);
	talk_forget(native->password);
	native->password = NULL;
}
