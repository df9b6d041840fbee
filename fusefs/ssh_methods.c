#include "fusefs/ssh_methods.h"

#include "core/ssh/names.h"

/* The order of ssh_config(5), without what we do not have. */
#define PREFERRED "publickey,keyboard-interactive,password"

const char *ssh_method_name(enum ssh_method method)
{
	static const char *const names[] = {
		[SSH_METHOD_PUBLICKEY] = "publickey",
		[SSH_METHOD_KEYBOARD] = "keyboard-interactive",
		[SSH_METHOD_PASSWORD] = "password",
	};

	return names[method];
}

bool ssh_method_is_in(const char *list, enum ssh_method method)
{
	return !list || ssh_list_has(ssh_text(list), ssh_method_name(method));
}

static bool is_wanted(const struct ssh_config *config, enum ssh_method method)
{
	const bool wanted[] = {
		[SSH_METHOD_PUBLICKEY] = config->pubkey,
		[SSH_METHOD_KEYBOARD] = config->keyboard,
		[SSH_METHOD_PASSWORD] = config->password,
	};

	return wanted[method];
}

bool ssh_method_next(const struct ssh_config *config, const char *offered,
		     unsigned *left, enum ssh_method *method)
{
	struct wire_bytes name,
		order = ssh_text(config->preferred ? config->preferred
						   : PREFERRED);

	while (ssh_next_name(&order, &name))
		for (unsigned i = 0; i < SSH_METHOD_COUNT; i++) {
			if (!ssh_is(name, ssh_method_name(i)) ||
			    !(*left & 1U << i) || !is_wanted(config, i) ||
			    !ssh_method_is_in(offered, i))
				continue;
			*left &= ~(1U << i);
			*method = i;
			return true;
		}
	return false;
}
