/*
 * Known answers: sessions with OpenSSH's sshd and ssh that were recorded.  Fed
 * with what those said then, the engine says byte for byte what it said.
 */
#include <unistd.h>

#include "tests/lib/recorded.h"
#include "tests/lib/test.h"

static void load(struct recorded *recorded, size_t kind)
{
	char path[PROC_PATH_MAX];

	proc_print(path, sizeof(path), RECORDED_DIR "/%s.txt",
		   recorded_kind(kind)->name);
	if (access(RECORDED_DIR, R_OK) != 0)
		skip_because("not run where " RECORDED_DIR " is");
	recorded_read(recorded, kind, path);
}

static void check(enum csftp_ssh_role role)
{
	for (size_t n = 0; n < RECORDED_KINDS; n++) {
		struct recorded recorded;
		int wrong;

		if (recorded_kind(n)->role != role)
			continue;
		load(&recorded, n);
		wrong = recorded_replay(&recorded);
		if (wrong >= 0)
			fail_msg("%s: the %dth piece is another one; if it "
				 "has to be: make record",
				 recorded_kind(n)->name, wrong);
		recorded_free(&recorded);
	}
}

static void our_client_says_what_it_said_to_sshd(void **state)
{
	(void)state;
	check(CSFTP_SSH_CLIENT);
}

static void our_server_says_what_it_said_to_ssh(void **state)
{
	(void)state;
	check(CSFTP_SSH_SERVER);
}

/* So nothing is compared with itself: with another seed it is another one. */
static void other_random_numbers_are_noticed_at_once(void **state)
{
	(void)state;
	for (size_t n = 0; n < RECORDED_KINDS; n++) {
		struct recorded recorded;

		load(&recorded, n);
		recorded.seed++;
		/* The second piece has the cookie, behind the first words. */
		assert_in_range(recorded_replay(&recorded), 0, 2);
		recorded_free(&recorded);
	}
}

/* Each piece of the peer's counts; of plain packets not the padding. */
static void another_word_of_the_peer_is_noticed(void **state)
{
	(void)state;
	for (size_t n = 0; n < RECORDED_KINDS; n++) {
		struct recorded recorded;

		load(&recorded, n);
		for (size_t i = 0; i < recorded.count; i++) {
			struct recorded_piece *piece = &recorded.piece[i];

			if (piece->is_out)
				continue;
			piece->bytes[0] ^= 1;
			if (recorded_replay(&recorded) < 0)
				fail_msg("%s: of %zu", recorded.kind->name, i);
			piece->bytes[0] ^= 1;
		}
		recorded_free(&recorded);
	}
}

int main(void)
{
	static const struct CMUnitTest claims[] = {
		cmocka_unit_test(our_client_says_what_it_said_to_sshd),
		cmocka_unit_test(our_server_says_what_it_said_to_ssh),
		cmocka_unit_test(other_random_numbers_are_noticed_at_once),
		cmocka_unit_test(another_word_of_the_peer_is_noticed),
	};

	return cmocka_run_group_tests(claims, NULL, NULL) != 0;
}
