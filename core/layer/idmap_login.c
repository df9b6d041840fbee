#include <errno.h>
#include <stddef.h>

#include "core/layer/idmap_impl.h"

/*
 * Who logged in, where that has to be asked for: with the first request, as
 * there may be no connection before.  Until it is known all others wait.
 */

static void find_login(struct idmap *map);

static bool add_pair(struct idmap *map, uint32_t kind, uint32_t remote,
		     uint32_t local)
{
	const struct idmap_pair pair = {.remote = remote, .local = local};

	return idmap_add_pairs(map, kind, &pair, 1);
}

/* In this order: the first that stands for a number here is what is sent. */
static bool pair_login(struct idmap *map, const struct csftp_attr *login)
{
	const struct idmap_config *config = &map->config;
	bool ok = add_pair(map, CSFTP_ID_USER, login->uid, config->here_uid);

	if (ok && (login->mask & CSFTP_ATTR_GID))
		ok = add_pair(map, CSFTP_ID_GROUP, login->gid,
			      config->here_gid);
	if (ok && config->by_name && login->uid != 0)
		ok = add_pair(map, CSFTP_ID_USER, 0, 0);
	if (ok && config->by_name && login->gid != 0)
		ok = add_pair(map, CSFTP_ID_GROUP, 0, 0);
	return ok;
}

static int take_login(struct idmap *map, const struct csftp_reply *reply)
{
	const struct csftp_attr *login = reply->attr;

	if (reply->err)
		return reply->err;
	if (!login || !(login->mask & CSFTP_ATTR_UID)) {
		idmap_say(map, "the server does not say who we are there");
		return EIO;
	}
	if (map->config.shows_login && !pair_login(map, login))
		return ENOMEM;
	map->config.login_uid = login->uid;
	map->config.login_gid = login->gid;
	return 0;
}

/* Those that wait by now: who is answered may ask anew. */
static void go_on(struct idmap *map, int err)
{
	size_t count = 0;
	struct csftp_req *req;

	for (req = map->early; req; req = req->next)
		count++;
	while (count-- > 0 && (req = map->early) != NULL) {
		map->early = req->next;
		if (err)
			csftp_reply_err(req, err);
		else
			csftp_submit(&map->relay.fs, req);
	}
}

static void found(struct csftp_req *req, const struct csftp_reply *reply)
{
	struct idmap *map = (struct idmap *)((char *)req -
					     offsetof(struct idmap, login_req));
	int err = take_login(map, reply);

	if (!err)
		map->relay.ops = map->later_ops;
	go_on(map, err);
	map->finding = false;
	if (map->early)
		find_login(map);
}

static void find_login(struct idmap *map)
{
	map->finding = true;
	map->login_req = (struct csftp_req){
		.op = CSFTP_OP_GETATTR,
		.done = found,
		.path = "",
	};
	csftp_submit(map->relay.under, &map->login_req);
}

static void wait_for_login(struct csftp_fs *fs, struct csftp_req *req)
{
	struct idmap *map = (struct idmap *)fs;
	struct csftp_req **end = &map->early;

	while (*end)
		end = &(*end)->next;
	req->next = NULL;
	*end = req;
	if (!map->finding)
		find_login(map);
}

void idmap_find_login(struct idmap *map)
{
	map->later_ops = map->relay.ops;
	for (int op = 0; op < CSFTP_OP_COUNT; op++)
		map->relay.ops.op[op] = wait_for_login;
}
