// SPDX-License-Identifier: MIT
#include "nofollow.h"

#include <errno.h>
#include <string.h>

#include "fail-errno.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "syscall.h"

/* Whether the first n characters end in this component. */
static bool ends_in_component(const char *path, size_t n, const char *component)
{
	size_t length = strlen(component);

	return n >= length && memcmp(path + n - length, component, length) == 0 &&
	       (n == length || path[n - length - 1] == '/');
}

/* How much of the path names something: slashes and "." at its end do not, if anything is before them.
 */
static size_t get_named_length(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && (path[n - 1] == '/' || ends_in_component(path, n, ".")))
		n--;
	return n;
}

bool idm_ends_in_name(const char *path)
{
	size_t n = strlen(path);

	return n && path[n - 1] != '/' && !ends_in_component(path, n, ".") &&
	       !ends_in_component(path, n, "..");
}

static bool ends_in_dotdot(const char *path)
{
	return ends_in_component(path, get_named_length(path), "..");
}

int idm_open_nofollow(int dirfd, const char *path, int flags, uint64_t resolve)
{
	AUTO_FREE char *named = NULL;

	if (ends_in_dotdot(path))
		resolve |= RESOLVE_NO_SYMLINKS;
	if (!idm_ends_in_name(path)) {
		named = strndup(path, get_named_length(path));
		if (!named)
			return -ENOMEM;
		path = named;
	}
	return resolve ? idm_sys_openat2(dirfd, path, flags | O_NOFOLLOW, 0, resolve)
		       : idm_sys_openat(dirfd, path, flags | O_NOFOLLOW, 0);
}

void idm_fail_nofollow(struct idm_error *err, int code, enum idm_error_step step, const char *path)
{
	if (code == -ELOOP && ends_in_dotdot(path))
		idm_fail(err, code, step, path, "the path to its final \"..\" contains a symbolic link");
	else
		idm_fail_errno(err, code, step, path);
}

int idm_open_or_dup(int dirfd, const char *path, int flags)
{
	if (!*path && dirfd != AT_FDCWD)
		return idm_sys_dup(dirfd);
	return idm_sys_openat(dirfd, *path ? path : ".", flags, 0);
}
