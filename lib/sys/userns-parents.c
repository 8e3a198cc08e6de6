// SPDX-License-Identifier: MIT
#include "userns-parents.h"

#include "lib/base/macros.h"
#include "syscall.h"

void idm_replace_by_parent_userns(int *userns_fd)
{
	int parent = idm_sys_ioctl(*userns_fd, IDM_NS_GET_PARENT, NULL);

	idm_close_fd(userns_fd);
	*userns_fd = parent;
}

/* Namespaces are compared by inode: another one can have the same map. */
static bool is_userns_of(const struct idm_userns_member *member, int ns)
{
	return member->userns_fd < 0 ? idm_is_initial_userns(ns)
				     : idm_is_same_inode(ns, member->userns_fd);
}

int idm_find_capabilities_in(int userns_fd, const struct idm_userns_member *member,
			     uint64_t *capabilities)
{
	AUTO_CLOSE int ns = idm_sys_dup(userns_fd);
	uid_t owner = IDM_EXPLAIN_NO_ID;

	*capabilities = 0;
	for (int level = 0; level < IDM_USERNS_LEVELS_MOST && ns >= 0; level++) {
		if (is_userns_of(member, ns)) {
			*capabilities = owner == member->uid ? ~0ULL : member->capabilities;
			return 0;
		}
		if (idm_is_initial_userns(ns))
			return 0;
		if (idm_sys_ioctl(ns, IDM_NS_GET_OWNER_UID, &owner) < 0)
			owner = IDM_EXPLAIN_NO_ID;
		idm_replace_by_parent_userns(&ns);
	}
	return ns < 0 ? ns : 0;
}

int idm_is_userns_below(int userns_fd, int top_fd)
{
	AUTO_CLOSE int ns = idm_sys_dup(userns_fd);

	for (int level = 0; level < IDM_USERNS_LEVELS_MOST && ns >= 0; level++) {
		if (idm_is_same_inode(ns, top_fd))
			return 1;
		if (idm_is_initial_userns(ns))
			return 0;
		idm_replace_by_parent_userns(&ns);
	}
	return ns < 0 ? ns : 0;
}
