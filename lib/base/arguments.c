// SPDX-License-Identifier: MIT
#include "arguments.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "error.h"

static int refuse_fd(int fd, const char *expected, enum idm_error_step step, struct idm_error *err,
		     const char *name, va_list args)
{
	char text[64];

	vsnprintf(text, sizeof(text), name, args);
	return idm_fail(err, -EBADF, step, NULL, "%s: expected %s, got %d", text, expected, fd);
}

int idm_check_fd_or_none(int fd, enum idm_error_step step, struct idm_error *err, const char *name, ...)
{
	va_list args;
	int r = 0;

	va_start(args, name);
	if (fd < -1)
		r = refuse_fd(fd, "a descriptor or -1", step, err, name, args);
	va_end(args);
	return r;
}

int idm_check_fd(int fd, enum idm_error_step step, struct idm_error *err, const char *name, ...)
{
	va_list args;
	int r = 0;

	va_start(args, name);
	if (fd < 0)
		r = refuse_fd(fd, "a descriptor", step, err, name, args);
	va_end(args);
	return r;
}

int idm_check_array(const void *array, size_t n, const char *name, const char *things,
		    enum idm_error_step step, struct idm_error *err)
{
	if (array || !n)
		return 0;
	return idm_fail(err, -EINVAL, step, NULL, "%s: expected %zu %s, got NULL", name, n, things);
}
