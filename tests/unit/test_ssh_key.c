/* Keys: files, public lines, signatures in SSH form. */
#include <stdlib.h>
#include <string.h>

#include "core/ssh/key.h"
#include "core/ssh/keyfile.h"
#include "core/ssh/names.h"
#include "core/ssh/sk.h"
#include "tests/lib/proc.h"
#include "tests/lib/ssh_rig.h"
#include "tests/lib/test.h"
#include "tests/lib/token.h"

static const struct {
	const char *args;
	enum csftp_ssh_key_type type;
} made[] = {
	{"-t ed25519", CSFTP_SSH_ED25519},
	{"-t ecdsa -b 256", CSFTP_SSH_P256},
	{"-t ecdsa -b 384", CSFTP_SSH_P384},
	{"-t ecdsa -b 521", CSFTP_SSH_P521},
	{"-t rsa -b 2048", CSFTP_SSH_RSA},
};

enum { MADE = sizeof(made) / sizeof(made[0]) };

struct files {
	char dir[PROC_PATH_MAX];
	char text[65536];
	size_t len;
};

static int make_dir(void **state)
{
	struct files *files = calloc(1, sizeof(*files));

	if (!files)
		return -1;
	scratch_make(files->dir);
	*state = files;
	return 0;
}

static int remove_dir(void **state)
{
	struct files *files = *state;

	scratch_remove(files->dir);
	free(files);
	return 0;
}

static void load(struct files *files, const char *name)
{
	char path[PROC_PATH_MAX + 16];

	proc_print(path, sizeof(path), "%s/%s", files->dir, name);
	files->len = file_read(path, files->text, sizeof(files->text));
}

static void assert_same_public(const struct csftp_ssh_key *a,
			       const struct csftp_ssh_key *b)
{
	struct csftp_ssh_bytes one = csftp_ssh_key_blob(a);
	struct csftp_ssh_bytes two = csftp_ssh_key_blob(b);

	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.ptr, two.ptr, one.len);
}

/* ssh-keygen's file, and its public line, are one key. */
static void check_pair(struct files *files, size_t which, const char *phrase)
{
	struct csftp_ssh_key *key, *public;

	load(files, "key");
	assert_int_equal(
		csftp_ssh_key_read(&key, files->text, files->len, phrase),
		CSFTP_OK);
	assert_int_equal(csftp_ssh_key_type(key), made[which].type);
	assert_true(csftp_ssh_key_is_private(key));
	load(files, "key.pub");
	assert_int_equal(
		csftp_ssh_key_read_public(&public, files->text, files->len),
		CSFTP_OK);
	assert_false(csftp_ssh_key_is_private(public));
	assert_same_public(key, public);
	csftp_ssh_key_free(key);
	csftp_ssh_key_free(public);
}

static void keys_of_ssh_keygen_can_be_read(void **state)
{
	struct files *files = *state;

	for (size_t i = 0; i < MADE; i++) {
		must_sh("cd '%s' && rm -f key* && ssh-keygen -q -N '' "
			"-C 'a comment' -f key %s",
			files->dir, made[i].args);
		check_pair(files, i, NULL);
	}
}

static void pem_keys_can_be_read_with_and_without_a_passphrase(void **state)
{
	struct files *files = *state;
	struct csftp_ssh_key *key;

	for (size_t i = 1; i < MADE; i++) {
		must_sh("cd '%s' && rm -f key* && ssh-keygen -q -m PEM -N '' "
			"-f key %s",
			files->dir, made[i].args);
		check_pair(files, i, NULL);
		must_sh("cd '%s' && ssh-keygen -q -p -m PKCS8 -P '' "
			"-N secret -f key",
			files->dir);
		check_pair(files, i, "secret");
		assert_int_equal(
			csftp_ssh_key_read(&key, files->text, files->len, NULL),
			CSFTP_ERR_VALUE);
		load(files, "key");
		assert_int_equal(
			csftp_ssh_key_read(&key, files->text, files->len, NULL),
			CSFTP_ERR_DENIED);
		assert_int_equal(csftp_ssh_key_read(&key, files->text,
						    files->len, "wrong"),
				 CSFTP_ERR_DENIED);
	}
}

static void openssh_keys_open_with_their_passphrase_only(void **state)
{
	struct files *files = *state;
	struct csftp_ssh_key *key;

	must_sh("cd '%s' && rm -f key* && ssh-keygen -q -a 4 -t ed25519 "
		"-N 'a passphrase' -f key",
		files->dir);
	check_pair(files, 0, "a passphrase");
	load(files, "key");
	assert_int_equal(csftp_ssh_key_read(&key, files->text, files->len,
					    "a passphrasf"),
			 CSFTP_ERR_DENIED);
	assert_int_equal(
		csftp_ssh_key_read(&key, files->text, files->len, NULL),
		CSFTP_ERR_DENIED);
}

/* PROTOCOL.key's own numbers are private; these are from its file. */
static void changed_key_files_are_refused_or_the_same_key(void **state)
{
	struct files *files = *state;
	struct csftp_ssh_key *key, *other;
	size_t len;

	must_sh("cd '%s' && rm -f key* && ssh-keygen -q -t ecdsa -N '' -f key",
		files->dir);
	load(files, "key");
	assert_int_equal(
		csftp_ssh_key_read(&key, files->text, files->len, NULL),
		CSFTP_OK);
	len = files->len;
	for (size_t i = 0; i < len; i++) {
		files->text[i] ^= 1;
		if (csftp_ssh_key_read(&other, files->text, len, NULL) ==
		    CSFTP_OK) {
			/* Comment, check numbers, or the copy in front. */
			assert_same_public(key, other);
			csftp_ssh_key_free(other);
		}
		files->text[i] ^= 1;
	}
	for (size_t i = 0; i < len - 2; i++)
		assert_true(csftp_ssh_key_read(&other, files->text, i, NULL) !=
			    CSFTP_OK);
	csftp_ssh_key_free(key);
}

static const struct ssh_alg *alg_named(const char *name)
{
	return ssh_alg_find(CSFTP_SSH_ALG_HOSTKEY, ssh_text(name));
}

static void signatures_verify_and_any_changed_byte_does_not(void **state)
{
	static const uint8_t data[] = "what is signed";
	struct wire_bytes what = {data, sizeof(data)};
	uint8_t sig[CSFTP_SSH_SIGN_MAX];
	const struct ssh_alg *alg;

	(void)state;
	for (size_t n = 0; (alg = ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, n)); n++) {
		const struct csftp_ssh_key *key = ssh_rig_key(alg->key);
		struct wire_bytes blob = ssh_wire(csftp_ssh_key_blob(key));
		struct wire_wr wr = {.base = sig, .cap = sizeof(sig)};
		struct wire_bytes all;

		assert_int_equal(ssh_key_sign(key, alg, what, &wr), CSFTP_OK);
		all = (struct wire_bytes){sig, wr.len};
		assert_int_equal(ssh_key_verify(blob, alg, what, all),
				 CSFTP_OK);
		for (size_t i = 0; i < wr.len; i++) {
			sig[i] ^= 1;
			assert_int_equal(ssh_key_verify(blob, alg, what, all),
					 CSFTP_ERR_FORGED);
			sig[i] ^= 1;
		}
		for (size_t i = 0; i < wr.len; i++) {
			all.len = i;
			assert_int_equal(ssh_key_verify(blob, alg, what, all),
					 CSFTP_ERR_FORGED);
		}
		all.len = wr.len;
		what.len--;
		assert_int_equal(ssh_key_verify(blob, alg, what, all),
				 CSFTP_ERR_FORGED);
		what.len++;
	}
}

static void hash_text(struct ssh_lib *lib, const char *text,
		      uint8_t out[SSH_HASH_MAX])
{
	struct wire_bytes bytes = ssh_text(text);

	assert_int_equal(ssh_hash(lib, SSH_SHA512, &bytes, 1, out), CSFTP_OK);
}

static void put_rules(struct wire_wr *wr)
{
	ssh_wr_text(wr, "test");
	ssh_wr_text(wr, "");
	ssh_wr_text(wr, "sha512");
}

/* OpenSSH PROTOCOL.sshsig: what is signed, and the file around it. */
static void sshsig(struct files *files, const struct csftp_ssh_signer *signer,
		   const uint8_t hash[64])
{
	uint8_t data[512], blob[1024], sig[CSFTP_SSH_SIGN_MAX];
	struct wire_wr what = {.base = data, .cap = sizeof(data)};
	struct wire_wr file = {.base = blob, .cap = sizeof(blob)};
	char path[PROC_PATH_MAX + 16];
	size_t len = 0;

	wire_wr_raw(&what, "SSHSIG", 6);
	wire_wr_raw(&file, "SSHSIG", 6);
	wire_wr_u32(&file, 1);
	wire_wr_string(&file, signer->key.ptr, signer->key.len);
	put_rules(&what);
	put_rules(&file);
	wire_wr_string(&what, hash, 64);
	assert_int_equal(signer->sign(signer->arg, ssh_sk_alg.name, data,
				      what.len, sig, &len),
			 CSFTP_OK);
	wire_wr_string(&file, sig, len);
	assert_int_equal(wire_wr_end(&file), CSFTP_OK);
	proc_print(path, sizeof(path), "%s/blob", files->dir);
	file_write(path, blob, file.len);
	must_sh("cd '%s' && { echo '-----BEGIN SSH SIGNATURE-----' && "
		"base64 -w 70 blob && echo '-----END SSH SIGNATURE-----'; "
		"} >text.sig",
		files->dir);
}

/* Both understand PROTOCOL.u2f alike: our token is good for OpenSSH, too. */
static void ssh_keygen_takes_signatures_of_our_hardware(void **state)
{
	struct files *files = *state;
	struct csftp_ssh_signer signer;
	struct token token;
	uint8_t hash[SSH_HASH_MAX];
	struct ssh_lib *lib;

	assert_int_equal(ssh_lib_new(&lib), CSFTP_OK);
	hash_text(lib, "some text", hash);
	ssh_lib_free(lib);
	signer = token_make(&token, SSH_SK_TOUCHED | SSH_SK_VERIFIED);
	sshsig(files, &signer, hash);
	must_sh("cd '%s' && printf 'some text' | ssh-keygen -Y "
		"check-novalidate -n test -s text.sig | grep -q ED25519-SK",
		files->dir);
	token.told = SSH_SK_TOUCHED;
	sshsig(files, &signer, hash);
	proc_sh(255,
		"cd '%s' && printf 'some text' | ssh-keygen -Y "
		"check-novalidate -n test -s text.sig",
		files->dir);
}

/* RFC 8332, 3: the algorithm is part of what was agreed on. */
static void a_signature_is_good_for_its_own_algorithm_only(void **state)
{
	const struct csftp_ssh_key *key = ssh_rig_key(CSFTP_SSH_RSA);
	struct wire_bytes blob = ssh_wire(csftp_ssh_key_blob(key));
	struct wire_bytes what = ssh_text("text");
	uint8_t sig[CSFTP_SSH_SIGN_MAX];
	struct wire_wr wr = {.base = sig, .cap = sizeof(sig)};

	(void)state;
	assert_int_equal(
		ssh_key_sign(key, alg_named("rsa-sha2-256"), what, &wr),
		CSFTP_OK);
	assert_int_equal(ssh_key_verify(blob, alg_named("rsa-sha2-512"), what,
					(struct wire_bytes){sig, wr.len}),
			 CSFTP_ERR_FORGED);
	assert_int_equal(ssh_key_sign(key, alg_named("ssh-ed25519"), what, &wr),
			 CSFTP_ERR_ARG);
	assert_null(alg_named("ssh-rsa"));
	assert_null(alg_named("ssh-dss"));
}

/* What is kept of a key is the key: it signs as the file's does. */
static void a_key_that_is_kept_is_the_same_key(void **state)
{
	uint8_t text[SSH_KEYFILE_SECTION_MAX], sig[CSFTP_SSH_SIGN_MAX];

	(void)state;
	for (size_t i = 0; i < MADE; i++) {
		struct wire_wr wr = {.base = text, .cap = sizeof(text)};
		struct wire_wr out = {.base = sig, .cap = sizeof(sig)};
		const struct ssh_alg *alg;
		struct csftp_ssh_key *key, *again;

		assert_int_equal(csftp_ssh_key_make(&key, made[i].type, 2048),
				 CSFTP_OK);
		assert_int_equal(ssh_keyfile_write_section(key, &wr), CSFTP_OK);
		for (size_t len = 0; len < wr.len; len++)
			assert_int_not_equal(
				ssh_keyfile_read_section(
					&again, (struct wire_bytes){text, len}),
				CSFTP_OK);
		assert_int_equal(
			ssh_keyfile_read_section(
				&again, (struct wire_bytes){text, wr.len}),
			CSFTP_OK);
		assert_same_public(key, again);
		for (size_t n = 0; (alg = ssh_alg_at(CSFTP_SSH_ALG_HOSTKEY, n));
		     n++)
			if (alg->key == made[i].type)
				break;
		assert_non_null(alg);
		assert_int_equal(
			ssh_key_sign(again, alg, ssh_text("text"), &out),
			CSFTP_OK);
		assert_int_equal(
			ssh_key_verify(ssh_wire(csftp_ssh_key_blob(key)), alg,
				       ssh_text("text"),
				       (struct wire_bytes){sig, out.len}),
			CSFTP_OK);
		/* Each room that is too small is noticed. */
		for (size_t cap = 0; cap < wr.len; cap++) {
			struct wire_wr less = {.base = text, .cap = cap};

			assert_int_not_equal(
				ssh_keyfile_write_section(key, &less),
				CSFTP_OK);
		}
		csftp_ssh_key_free(again);
		csftp_ssh_key_free(key);
	}
}

static void each_prefix_of_a_public_key_is_refused(void **state)
{
	struct csftp_ssh_key *key;

	(void)state;
	for (unsigned type = 0; type <= CSFTP_SSH_RSA; type++) {
		struct csftp_ssh_bytes blob = csftp_ssh_key_blob(
			ssh_rig_key((enum csftp_ssh_key_type)type));

		for (size_t len = blob.len; len-- > 0;) {
			struct csftp_ssh_bytes part = {blob.ptr, len};

			assert_true(csftp_ssh_key_from_blob(&key, part) !=
				    CSFTP_OK);
		}
	}
}

static void small_rsa_keys_are_refused(void **state)
{
	struct files *files = *state;
	struct csftp_ssh_key *key;

	must_sh("cd '%s' && rm -f key* && ssh-keygen -q -t rsa -b 1024 -N '' "
		"-f key",
		files->dir);
	load(files, "key");
	assert_int_equal(
		csftp_ssh_key_read(&key, files->text, files->len, NULL),
		CSFTP_ERR_VALUE);
	load(files, "key.pub");
	assert_int_equal(
		csftp_ssh_key_read_public(&key, files->text, files->len),
		CSFTP_ERR_VALUE);
	assert_int_equal(csftp_ssh_key_make(&key, CSFTP_SSH_RSA, 1024),
			 CSFTP_ERR_ARG);
}

static void base64_reads_what_it_should(void **state)
{
	static const struct {
		const char *text;
		const char *bytes; /* NULL: an error */
	} rows[] = {
		{"", ""},	 {"Zg==", "f"},	     {"Zm8=", "fo"},
		{"Zm9v", "foo"}, {"Zm 9\nv", "foo"}, {"Zm9vYg==", "foob"},
		{"Z", NULL},	 {"Zg", NULL},	     {"Zg=", NULL},
		{"Zg===", NULL}, {"Zg==Zg==", NULL}, {"Z-==", NULL},
	};
	uint8_t out[16];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = 99;
		enum csftp_err err = ssh_base64(
			rows[i].text, strlen(rows[i].text), out, &len);

		assert_int_equal(err,
				 rows[i].bytes ? CSFTP_OK : CSFTP_ERR_VALUE);
		if (!rows[i].bytes)
			continue;
		assert_int_equal(len, strlen(rows[i].bytes));
		assert_memory_equal(out, rows[i].bytes, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_reads_what_it_should),
		cmocka_unit_test(
			signatures_verify_and_any_changed_byte_does_not),
		cmocka_unit_test_setup_teardown(
			ssh_keygen_takes_signatures_of_our_hardware, make_dir,
			remove_dir),
		cmocka_unit_test(
			a_signature_is_good_for_its_own_algorithm_only),
		cmocka_unit_test(a_key_that_is_kept_is_the_same_key),
		cmocka_unit_test(each_prefix_of_a_public_key_is_refused),
		cmocka_unit_test(keys_of_ssh_keygen_can_be_read),
		cmocka_unit_test(
			pem_keys_can_be_read_with_and_without_a_passphrase),
		cmocka_unit_test(openssh_keys_open_with_their_passphrase_only),
		cmocka_unit_test(changed_key_files_are_refused_or_the_same_key),
		cmocka_unit_test(small_rsa_keys_are_refused),
	};
	int failed = cmocka_run_group_tests(tests, make_dir, remove_dir);

	ssh_rig_free_keys();
	return failed;
}
