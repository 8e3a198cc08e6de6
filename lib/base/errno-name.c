// SPDX-License-Identifier: MIT
#include "config.h"
#include "error.h"

#include <errno.h>
#include <string.h>

#include "macros.h"

/* The C library's own, which depend on no locale: strerror(3) of glibc does. */
#if HAVE_STRERRORDESC_NP

const char *idm_errno_text(int errnum)
{
	return strerrordesc_np(errnum);
}

const char *idm_errno_name(int errnum)
{
	return strerrorname_np(errnum);
}

#else

/* musl's is constant, too, and in English as long as MUSL_LOCPATH does not say otherwise. */
const char *idm_errno_text(int errnum)
{
	return strerror(errnum);
}

#define NAME(code)          \
	{                   \
		code, #code \
	}

/* What the kernel answers to the calls that are made here. */
static const struct {
	int errnum;
	const char *name;
} names[] = {
	NAME(EPERM),	 NAME(ENOENT),	     NAME(ESRCH),     NAME(EINTR),    NAME(EIO),
	NAME(ENXIO),	 NAME(E2BIG),	     NAME(ENOEXEC),   NAME(EBADF),    NAME(ECHILD),
	NAME(EAGAIN),	 NAME(ENOMEM),	     NAME(EACCES),    NAME(EFAULT),   NAME(ENOTBLK),
	NAME(EBUSY),	 NAME(EEXIST),	     NAME(EXDEV),     NAME(ENODEV),   NAME(ENOTDIR),
	NAME(EISDIR),	 NAME(EINVAL),	     NAME(ENFILE),    NAME(EMFILE),   NAME(ENOTTY),
	NAME(ETXTBSY),	 NAME(EFBIG),	     NAME(ENOSPC),    NAME(ESPIPE),   NAME(EROFS),
	NAME(EMLINK),	 NAME(EPIPE),	     NAME(ERANGE),    NAME(EDEADLK),  NAME(ENAMETOOLONG),
	NAME(ENOSYS),	 NAME(ENOTEMPTY),    NAME(ELOOP),     NAME(ENODATA),  NAME(EPROTO),
	NAME(EOVERFLOW), NAME(EBADMSG),	     NAME(EUSERS),    NAME(ENOTCONN), NAME(EOPNOTSUPP),
	NAME(ETIMEDOUT), NAME(ECONNREFUSED), NAME(EALREADY),  NAME(ESTALE),   NAME(EUCLEAN),
	NAME(EREMOTEIO), NAME(EDQUOT),	     NAME(ECANCELED), NAME(ENOKEY),
};

const char *idm_errno_name(int errnum)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].errnum == errnum)
			return names[i].name;
	return NULL;
}

#endif
