// SPDX-License-Identifier: MIT
#include "mount-place.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "mount-query.h"

static int found(const struct idm_mount_info *mount, void *data)
{
	(void)mount;
	(void)data;
	return 1;
}

/* Whether "in no other" can be said: all of them can be seen. */
static bool sees_all_namespaces(void)
{
	AUTO_FREE struct idm_mount_ns *others = NULL;
	size_t n;

	return idm_mount_ns_may_see_all(NULL) == 0 && idm_mount_ns_others(&others, &n, NULL) == 0;
}

enum idm_place idm_place_of(int fd)
{
	struct idm_mount_props look;

	idm_query_mount(fd, &look);
	if (look.visible)
		return IDM_PLACE_OWN;
	if (idm_list_path(fd, "", IDM_LIST_EMPTY_PATH, found, NULL, NULL) > 0)
		return IDM_PLACE_OTHER;
	return sees_all_namespaces() ? IDM_PLACE_NOWHERE : IDM_PLACE_UNKNOWN;
}

const char *idm_place_text(enum idm_place place)
{
	switch (place) {
	case IDM_PLACE_OTHER:
		return "is on a mount of another mount namespace";
	case IDM_PLACE_NOWHERE:
		return "is on a mount that is attached nowhere";
	default:
		return "is on a mount of another mount namespace, or on one that is attached nowhere";
	}
}

/* The number of links does not help if a file has other names, or if a server invents the number. */
bool idm_is_deleted(int fd)
{
	static const char mark[] = " (deleted)";
	char link[64], text[PATH_MAX];
	struct statx st;
	ssize_t n;

	if (idm_sys_statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_NLINK, &st) == 0 &&
	    st.stx_mask & STATX_NLINK && st.stx_nlink == 0)
		return true;
	snprintf(link, sizeof(link), "/proc/thread-self/fd/%d", fd);
	n = idm_sys_readlinkat(AT_FDCWD, link, text, sizeof(text));
	return n >= (ssize_t)sizeof(mark) &&
	       memcmp(text + n - (sizeof(mark) - 1), mark, sizeof(mark) - 1) == 0;
}
