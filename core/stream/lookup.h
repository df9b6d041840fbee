/* Why a host's name could not be resolved. */
#ifndef CSFTP_CORE_STREAM_LOOKUP_H
#define CSFTP_CORE_STREAM_LOOKUP_H

#include "csftp/err.h"

/* What getaddrinfo(3) returned, which is not 0; CSFTP_ERR_IO has errno. */
enum csftp_err stream_lookup_err(int err);

#endif
