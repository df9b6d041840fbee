/* What connections share. */
#include <stdlib.h>
#include <string.h>

#include "core/ssh/engine.h"

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
	return value > 0 ? value : otherwise;
}

static void set_defaults(struct csftp_ssh_config *config)
{
	if (config->buf_size == 0)
		config->buf_size = 64U * 1024U;
	config->channels = or_default(config->channels, 10);
	config->window = or_default(config->window, 2U << 20);
	config->window_max = or_default(config->window_max, 16U << 20);
	if (config->window_max < config->window)
		config->window_max = config->window;
	if (config->rekey_bytes == 0)
		config->rekey_bytes = (uint64_t)1 << 30;
	if (config->rekey_ms == 0)
		config->rekey_ms = UINT64_C(3600) * 1000;
	config->auth_tries = or_default(config->auth_tries, 6);
	config->auth_methods =
		or_default(config->auth_methods, CSFTP_SSH_AUTH_PUBLICKEY);
}

static bool has_key_for(const struct csftp_ssh_config *config,
			const struct ssh_alg *alg)
{
	for (size_t i = 0; i < config->key_count; i++)
		if (config->keys[i]->pkey.type == alg->key)
			return true;
	return false;
}

/* A server offers what it can sign. */
static void keep_signable(struct csftp_ssh_env *env)
{
	struct ssh_alg_list *list = &env->list[CSFTP_SSH_ALG_HOSTKEY];
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (has_key_for(&env->config, list->alg[i]))
			list->alg[kept++] = list->alg[i];
	list->count = kept;
}

static enum csftp_err make_lists(struct csftp_ssh_env *env)
{
	const char *names[CSFTP_SSH_ALG_COUNT] = {
		[CSFTP_SSH_ALG_KEX] = env->config.kex,
		[CSFTP_SSH_ALG_HOSTKEY] = env->config.hostkey,
		[CSFTP_SSH_ALG_CIPHER] = env->config.cipher,
		[CSFTP_SSH_ALG_MAC] = env->config.mac,
	};
	enum csftp_err err = CSFTP_OK;

	for (unsigned i = 0; err == CSFTP_OK && i < CSFTP_SSH_ALG_COUNT; i++)
		err = ssh_alg_list(&env->list[i], (enum csftp_ssh_alg_kind)i,
				   names[i]);
	if (err == CSFTP_OK && env->config.role == CSFTP_SSH_SERVER)
		keep_signable(env);
	if (env->list[CSFTP_SSH_ALG_HOSTKEY].count == 0)
		err = CSFTP_ERR_ARG;
	return err;
}

static bool config_is_fine(const struct csftp_ssh_config *config)
{
	for (size_t i = 0; i < config->key_count; i++)
		if (!config->keys[i]->is_private)
			return false;
	return config->buf_get && config->buf_put && config->random &&
	       config->now_ms && config->buf_size >= CSFTP_SSH_BUF_MIN &&
	       config->buf_size <= CSFTP_SSH_BUF_MAX &&
	       config->channels <= CSFTP_SSH_CHANNELS_MAX;
}

enum csftp_err csftp_ssh_env_new(struct csftp_ssh_env **out,
				 const struct csftp_ssh_config *config)
{
	struct csftp_ssh_env *env;
	enum csftp_err err;

	if (!out || !config)
		return CSFTP_ERR_ARG;
	env = calloc(1, sizeof(*env));
	if (!env)
		return CSFTP_ERR_NOMEM;
	env->config = *config;
	set_defaults(&env->config);
	err = config_is_fine(&env->config) ? make_lists(env) : CSFTP_ERR_ARG;
	if (err == CSFTP_OK)
		err = ssh_lib_new(&env->lib);
	if (err != CSFTP_OK) {
		csftp_ssh_env_free(env);
		return err;
	}
	*out = env;
	return CSFTP_OK;
}

void csftp_ssh_env_free(struct csftp_ssh_env *env)
{
	if (!env)
		return;
	ssh_lib_free(env->lib);
	free(env);
}

void csftp_ssh_env_set_trace(struct csftp_ssh_env *env,
			     void (*trace)(void *arg,
					   const struct csftp_ssh *ssh,
					   const char *line))
{
	env->config.trace = trace;
}

size_t csftp_ssh_size(const struct csftp_ssh_env *env)
{
	return sizeof(struct csftp_ssh) +
	       env->config.channels * sizeof(struct ssh_channel);
}

struct csftp_ssh *csftp_ssh_init(struct csftp_ssh_env *env, void *memory)
{
	struct csftp_ssh *ssh = memory;

	memset(ssh, 0, csftp_ssh_size(env));
	ssh->env = env;
	return ssh;
}

void csftp_ssh_release(struct csftp_ssh *ssh)
{
	ssh_kex_release(ssh);
	ssh_wipe_packet(ssh);
	ssh_buf_put(ssh, &ssh->in);
	ssh_buf_put(ssh, &ssh->out);
	ssh_drop_later(ssh);
	ssh_crypt_release(&ssh->from_peer.crypt);
	ssh_crypt_release(&ssh->to_peer.crypt);
	ssh_wipe(ssh, csftp_ssh_size(ssh->env));
}

void csftp_ssh_set_user(struct csftp_ssh *ssh, void *user)
{
	ssh->user = user;
}

void *csftp_ssh_user(const struct csftp_ssh *ssh)
{
	return ssh->user;
}

struct csftp_ssh_bytes csftp_ssh_peer_version(const struct csftp_ssh *ssh)
{
	return (struct csftp_ssh_bytes){ssh->version, ssh->version_len};
}

const char *csftp_ssh_in_use(const struct csftp_ssh *ssh,
			     enum csftp_ssh_alg_kind kind, bool in)
{
	const struct ssh_half *half = in ? &ssh->from_peer : &ssh->to_peer;
	const struct ssh_alg *alg = NULL;

	if (kind == CSFTP_SSH_ALG_KEX)
		alg = ssh->kex_alg;
	else if (kind == CSFTP_SSH_ALG_HOSTKEY)
		alg = ssh->hostkey_alg;
	else if (kind == CSFTP_SSH_ALG_CIPHER)
		alg = half->cipher;
	else if (kind == CSFTP_SSH_ALG_MAC)
		alg = half->mac;
	return alg ? alg->name : NULL;
}
