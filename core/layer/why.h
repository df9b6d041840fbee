/* A layer that finds out why a server said no more than "Failure". */
#ifndef CSFTP_CORE_LAYER_WHY_H
#define CSFTP_CORE_LAYER_WHY_H

#include "csftp/err.h"
#include "csftp/fs.h"

/*
 * SFTP version 3 has one code for most reasons (SSH_FX_FAILURE, filexfer-02,
 * 7), and most servers send nothing else with it; it comes as EIO.  After such
 * an answer the layer looks what is there, all at once: do the names exist,
 * is the directory empty, is the file system full or read-only, are both
 * names on one, does another one begin there, can a file be as large?  If
 * nothing of that explains it, it is looked how many links there are, in the
 * text that listings have for people.  The errno that Linux has for what is
 * found is the answer; if nothing explains the refusal it stays EIO.  Servers
 * also call ENOTDIR "no such file" and ENAMETOOLONG a bad message; these are
 * told apart, too, and so is EPERM from EACCES, for which there is one code:
 * programs that keep owners and modes where they can take the one for a no, and
 * the other for a fault.  What cannot be seen is not guessed: EDQUOT for one.
 *
 * What is found is as of a moment later, so a reason that has gone meanwhile
 * is not found.  Nothing is asked unless something failed.  Requests that do
 * not fail pass with no more than a copy of the request.  One thread.
 */
struct why;

/* CSFTP_ERR_NOMEM. */
CSFTP_MUST_CHECK enum csftp_err why_new(struct why **out,
					struct csftp_fs *under);

/* Nothing may be pending.  NULL is fine. */
void why_free(struct why *why);

struct csftp_fs *why_fs(struct why *why);

#endif
