/* The version that all programs show; csftp.pc has the same. */
#ifndef CSFTP_CORE_VERSION_H
#define CSFTP_CORE_VERSION_H

#define CSFTP_VERSION "0.1.0"

#endif
