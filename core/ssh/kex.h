/* What the two files of the key exchange share. */
#ifndef CSFTP_CORE_SSH_KEX_H
#define CSFTP_CORE_SSH_KEX_H

struct csftp_ssh;

/* NEWKEYS, and our side's new keys; the exchange has a hash and a secret. */
void ssh_kex_send_newkeys(struct csftp_ssh *ssh);

#endif
