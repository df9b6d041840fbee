/* csftpd -T: the settings that are in force, as a configuration has them. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "csftp/serve.h"
#include "server/csftpd/daemon.h"
#include "server/csftpd/settings_impl.h"
#include "server/log_words.h"

/* As the reader cuts words out, with quotes where they are needed. */
static void put_word(FILE *out, const char *word)
{
	if (*word && !strpbrk(word, " \t\r\f\"") && *word != '#' &&
	    *word != '=') {
		fprintf(out, " %s", word);
		return;
	}
	fputs(" \"", out);
	for (; *word; word++) {
		if (*word == '"' || *word == '\\')
			fputc('\\', out);
		fputc(*word, out);
	}
	fputc('"', out);
}

static void put_text(FILE *out, const char *keyword, const char *value)
{
	fputs(keyword, out);
	put_word(out, value);
	fputc('\n', out);
}

static void put_or_none(FILE *out, const char *keyword, const char *value)
{
	put_text(out, keyword, value ? value : "none");
}

/* Where there is no word that says that there is none. */
static void put_given(FILE *out, const char *keyword, const char *value)
{
	if (value)
		put_text(out, keyword, value);
}

static void put_number(FILE *out, const char *keyword, uint64_t value)
{
	fprintf(out, "%s %llu\n", keyword, (unsigned long long)value);
}

static void put_seconds(FILE *out, const char *keyword, uint64_t ms)
{
	put_number(out, keyword, ms / 1000);
}

static void put_flag(FILE *out, const char *keyword, bool on)
{
	put_text(out, keyword, on ? "yes" : "no");
}

static void show_addresses(FILE *out, const struct settings *settings)
{
	for (size_t i = 0; i < settings->port_count; i++)
		put_number(out, "port", settings->port[i]);
	for (size_t i = 0; i < settings->listen_count; i++) {
		const struct settings_address *at = &settings->listen[i];
		bool v6 = strchr(at->host, ':') != NULL;

		for (size_t k = 0; k < settings->port_count; k++) {
			fprintf(out, "listenaddress %s%s%s:%u\n", v6 ? "[" : "",
				at->host, v6 ? "]" : "",
				at->port ? at->port : settings->port[k]);
			if (at->port)
				break;
		}
	}
}

static void show_penalties(FILE *out, const struct sources_config *sources)
{
	static const char *const overflow[] = {
		[SOURCES_PERMISSIVE] = "permissive",
		[SOURCES_DENY_ALL] = "deny-all",
	};
	const uint64_t *end_ms = sources->end_ms;

	if (!sources->penalties) {
		fputs("persourcepenalties no\n", out);
		return;
	}
	fprintf(out,
		"persourcepenalties crash:%llu authfail:%llu noauth:%llu "
		"grace-exceeded:%llu max:%llu min:%llu max-sources4:%u "
		"max-sources6:%u overflow:%s overflow6:%s\n",
		(unsigned long long)end_ms[SOURCES_CRASH] / 1000,
		(unsigned long long)end_ms[SOURCES_AUTHFAIL] / 1000,
		(unsigned long long)end_ms[SOURCES_NOAUTH] / 1000,
		(unsigned long long)end_ms[SOURCES_GRACE] / 1000,
		(unsigned long long)sources->max_ms / 1000,
		(unsigned long long)sources->min_ms / 1000, sources->v4_sources,
		sources->v6_sources, overflow[sources->v4_overflow],
		overflow[sources->v6_overflow]);
}

static void show_sources(FILE *out, const struct sources_config *sources)
{
	put_number(out, "maxstartups", sources->waiting);
	if (sources->waiting_source > 0)
		put_number(out, "persourcemaxstartups",
			   sources->waiting_source);
	else
		put_text(out, "persourcemaxstartups", "none");
	fprintf(out, "persourcenetblocksize %u:%u\n", sources->v4_bits,
		sources->v6_bits);
	show_penalties(out, sources);
	/* It is a word of the configuration, so that it has an end. */
	put_or_none(out, "persourcepenaltyexemptlist",
		    sources->exempt.len > 0 ? (const char *)sources->exempt.ptr
					    : NULL);
}

/* Nothing said is the engine's default. */
static void show_rekey(FILE *out, const struct settings *settings)
{
	uint64_t bytes = settings->rekey_bytes, ms = settings->rekey_ms;

	fprintf(out, "rekeylimit %llu ",
		(unsigned long long)(bytes > 0 ? bytes : 1U << 30));
	if (ms == UINT64_MAX)
		fprintf(out, "none\n");
	else
		fprintf(out, "%llu\n",
			(unsigned long long)(ms > 0 ? ms / 1000 : 3600));
}

static void show_connections(FILE *out, const struct settings *settings)
{
	put_number(out, "maxconnections", settings->connections);
	put_number(out, "maxsessions", settings->sessions);
	put_number(out, "maxauthtries", settings->auth_tries);
	put_seconds(out, "logingracetime", settings->login_grace_ms);
	put_seconds(out, "clientaliveinterval", settings->alive_ms);
	put_number(out, "clientalivecountmax", settings->alive_count);
	show_rekey(out, settings);
	show_sources(out, &settings->sources);
}

static void show_logins(FILE *out, const struct settings *settings)
{
	const struct passwd *pw = getpwuid(geteuid());

	for (size_t i = 0; i < settings->allow_user_count; i++)
		put_text(out, "allowusers", settings->allow_user[i]);
	if (settings->allow_user_count == 0 && pw)
		put_text(out, "allowusers", pw->pw_name);
	put_text(out, "authenticationmethods",
		 settings->auth_methods == CSFTP_SSH_AUTH_NONE ? "none"
							       : "publickey");
	fputs("authorizedkeysfile", out);
	for (size_t i = 0; i < settings->keys_file_count; i++)
		put_word(out, settings->keys_file[i]);
	fputs(settings->keys_none ? " none\n" : "\n", out);
	put_flag(out, "strictmodes", settings->strict_modes);
	for (size_t i = 0; i < settings->host_key_count; i++)
		put_text(out, "hostkey", settings->host_key[i]);
}

static void show_algorithms(FILE *out, const struct settings *settings)
{
	static const char *const keyword[CSFTP_SSH_ALG_COUNT] = {
		[CSFTP_SSH_ALG_KEX] = "kexalgorithms",
		[CSFTP_SSH_ALG_HOSTKEY] = "hostkeyalgorithms",
		[CSFTP_SSH_ALG_CIPHER] = "ciphers",
		[CSFTP_SSH_ALG_MAC] = "macs",
	};
	const char *name;

	for (int i = 0; i < CSFTP_SSH_ALG_COUNT; i++) {
		enum csftp_ssh_alg_kind kind = (enum csftp_ssh_alg_kind)i;

		if (settings->algorithms[i]) {
			put_text(out, keyword[i], settings->algorithms[i]);
			continue;
		}
		fprintf(out, "%s ", keyword[i]);
		for (size_t n = 0; (name = csftp_ssh_algorithms(kind, n)); n++)
			fprintf(out, "%s%s", n > 0 ? "," : "", name);
		fputc('\n', out);
	}
}

static void put_requests(FILE *out, const char *option, uint64_t bits)
{
	const char *name, *between = option;

	for (int i = 0; (name = csftp_serve_request_name(i)); i++) {
		if (!(bits >> i & 1))
			continue;
		fprintf(out, "%s%s", between, name);
		between = ",";
	}
}

static void put_modes(FILE *out, const char *what,
		      const struct posixfs_modes *modes)
{
	if (modes->mask > 0)
		fprintf(out, " --mask %s:%04o", what, modes->mask);
	if (modes->force > 0)
		fprintf(out, " --force %s:%04o", what, modes->force);
}

/* With the options that no keyword has. */
static void show_subsystem(FILE *out, const struct settings *settings)
{
	const struct server_options *sftp = &settings->sftp;

	fprintf(out, "subsystem sftp internal-sftp -l %s -f %s",
		log_level_word(sftp->log.level),
		log_facility_word(sftp->log.facility));
	if (sftp->log.to_stderr)
		fputs(" -e", out);
	if (sftp->log_packets)
		fputs(" --log-packets", out);
	if (sftp->start) {
		fputs(" -d", out);
		put_word(out, sftp->start);
	}
	if (sftp->has_umask)
		fprintf(out, " -u %03o", sftp->umask);
	put_requests(out, " -P ", sftp->listed);
	if (sftp->denied != sftp->listed)
		put_requests(out, " -p ", ~sftp->denied | sftp->listed);
	put_modes(out, "files", &sftp->files);
	put_modes(out, "dirs", &sftp->dirs);
	fputc('\n', out);
}

static void show_views(FILE *out, const struct server_options *sftp)
{
	static const char *const access[] = {
		[POSIXFS_RW] = "rw",
		[POSIXFS_RO] = "ro",
		[POSIXFS_NONE] = "none",
	};

	for (size_t i = 0; i < sftp->view_count; i++) {
		char text[8192];

		(void)snprintf(text, sizeof(text), "%s=%s", sftp->view[i].path,
			       access[sftp->view[i].access]);
		put_text(out, "view", text);
	}
}

static void show_served(FILE *out, const struct settings *settings)
{
	static const char *const sandbox[] = {
		[SANDBOX_AUTO] = "auto",
		[SANDBOX_REQUIRE] = "require",
		[SANDBOX_OFF] = "off",
	};
	const struct server_options *sftp = &settings->sftp;

	show_subsystem(out, settings);
	put_flag(out, "atomicupload", sftp->atomic_upload);
	put_given(out, "audit", sftp->audit);
	put_flag(out, "keeppartial", sftp->keep_partial);
	if (sftp->quota > 0)
		put_number(out, "quota", sftp->quota);
	if (sftp->rate > 0)
		put_number(out, "rate", sftp->rate);
	put_flag(out, "readonly", sftp->read_only);
	put_given(out, "root", sftp->root);
	show_views(out, sftp);
	put_text(out, "sandbox", sandbox[sftp->sandbox]);
}

static void show_daemon(FILE *out, const struct settings *settings)
{
	put_number(out, "acceptors", settings->acceptors);
	put_number(out, "workers", daemon_workers(settings));
	put_number(out, "diskthreads", settings->disk_threads);
	put_seconds(out, "draintime", settings->drain_ms);
	put_or_none(out, "controlsocket", settings->control);
	put_or_none(out, "pidfile", settings->pid_file);
	put_text(out, "loglevel", log_level_word(settings->log_level));
	put_text(out, "syslogfacility",
		 log_facility_word(settings->log_facility));
}

void settings_show(FILE *out, const struct settings *settings)
{
	show_addresses(out, settings);
	show_connections(out, settings);
	show_logins(out, settings);
	show_algorithms(out, settings);
	show_served(out, settings);
	show_daemon(out, settings);
	settings_show_fixed(out);
}
