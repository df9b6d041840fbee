#include "core/errmap.h"

#include <errno.h>
#include <string.h>

/*
 * The sentences are those of the C locale of Linux systems, whichever system
 * this runs on: they are what a peer compares with.
 */
static const struct errno_row {
	int err;
	enum sftp_status status;
	const char *text;
} rows[] = {
	{EPERM, SSH_FX_PERMISSION_DENIED, "Operation not permitted"},
	{ENOENT, SSH_FX_NO_SUCH_FILE, "No such file or directory"},
	{EINTR, SSH_FX_FAILURE, "Interrupted system call"},
	{EIO, SSH_FX_FAILURE, "Input/output error"},
	{ENXIO, SSH_FX_FAILURE, "No such device or address"},
	{E2BIG, SSH_FX_FAILURE, "Argument list too long"},
	{EBADF, SSH_FX_NO_SUCH_FILE, "Bad file descriptor"},
	{EAGAIN, SSH_FX_FAILURE, "Resource temporarily unavailable"},
	{ENOMEM, SSH_FX_FAILURE, "Cannot allocate memory"},
	{EACCES, SSH_FX_PERMISSION_DENIED, "Permission denied"},
	{EFAULT, SSH_FX_PERMISSION_DENIED, "Bad address"},
	{EBUSY, SSH_FX_FAILURE, "Device or resource busy"},
	{EEXIST, SSH_FX_FAILURE, "File exists"},
	{EXDEV, SSH_FX_FAILURE, "Invalid cross-device link"},
	{ENODEV, SSH_FX_FAILURE, "No such device"},
	{ENOTDIR, SSH_FX_NO_SUCH_FILE, "Not a directory"},
	{EISDIR, SSH_FX_FAILURE, "Is a directory"},
	{EINVAL, SSH_FX_BAD_MESSAGE, "Invalid argument"},
	{ENFILE, SSH_FX_FAILURE, "Too many open files in system"},
	{EMFILE, SSH_FX_FAILURE, "Too many open files"},
	{ENOTTY, SSH_FX_FAILURE, "Inappropriate ioctl for device"},
	{ETXTBSY, SSH_FX_FAILURE, "Text file busy"},
	{EFBIG, SSH_FX_FAILURE, "File too large"},
	{ENOSPC, SSH_FX_FAILURE, "No space left on device"},
	{ESPIPE, SSH_FX_FAILURE, "Illegal seek"},
	{EROFS, SSH_FX_FAILURE, "Read-only file system"},
	{EMLINK, SSH_FX_FAILURE, "Too many links"},
	{EPIPE, SSH_FX_FAILURE, "Broken pipe"},
	{ERANGE, SSH_FX_FAILURE, "Numerical result out of range"},
	{EDEADLK, SSH_FX_FAILURE, "Resource deadlock avoided"},
	{ENAMETOOLONG, SSH_FX_BAD_MESSAGE, "File name too long"},
	{ENOLCK, SSH_FX_FAILURE, "No locks available"},
	{ENOSYS, SSH_FX_OP_UNSUPPORTED, "Function not implemented"},
	{ENOTEMPTY, SSH_FX_FAILURE, "Directory not empty"},
	{ELOOP, SSH_FX_NO_SUCH_FILE, "Too many levels of symbolic links"},
	{ENODATA, SSH_FX_FAILURE, "No data available"},
	{EOVERFLOW, SSH_FX_FAILURE, "Value too large for defined data type"},
	{EOPNOTSUPP, SSH_FX_OP_UNSUPPORTED, "Operation not supported"},
	{ETIMEDOUT, SSH_FX_FAILURE, "Connection timed out"},
	{ENOTCONN, SSH_FX_NO_CONNECTION, "Transport endpoint is not connected"},
	{ECONNRESET, SSH_FX_CONNECTION_LOST, "Connection reset by peer"},
	{ESTALE, SSH_FX_FAILURE, "Stale file handle"},
	{EDQUOT, SSH_FX_FAILURE, "Disk quota exceeded"},
	{ECANCELED, SSH_FX_FAILURE, "Operation canceled"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct errno_row *find(int err)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].err == err)
			return &rows[i];
	return NULL;
}

enum sftp_status sftp_status_from_errno(int err)
{
	const struct errno_row *row = find(err);

	if (err == 0)
		return SSH_FX_OK;
	return row ? row->status : SSH_FX_FAILURE;
}

const char *sftp_errno_text(int err)
{
	const struct errno_row *row = find(err);

	if (err == 0)
		return "Success";
	return row ? row->text : "Failure";
}

static int errno_from_text(uint32_t status, const void *text, size_t len)
{
	for (size_t i = 0; i < ROWS; i++)
		if (rows[i].status == status && strlen(rows[i].text) == len &&
		    memcmp(rows[i].text, text, len) == 0)
			return rows[i].err;
	return 0;
}

int sftp_errno_from_status(uint32_t status, const void *text, size_t len)
{
	int err = len > 0 ? errno_from_text(status, text, len) : 0;

	if (err != 0)
		return err;
	switch (status) {
	case SSH_FX_OK:
		return 0;
	case SSH_FX_NO_SUCH_FILE:
		return ENOENT;
	case SSH_FX_PERMISSION_DENIED:
		return EACCES;
	case SSH_FX_BAD_MESSAGE:
		return EINVAL;
	case SSH_FX_NO_CONNECTION:
		return ENOTCONN;
	case SSH_FX_CONNECTION_LOST:
		return ECONNRESET;
	case SSH_FX_OP_UNSUPPORTED:
		return EOPNOTSUPP;
	default: /* SSH_FX_FAILURE, and SSH_FX_EOF where none can be */
		return EIO;
	}
}
