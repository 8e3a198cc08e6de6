// SPDX-License-Identifier: MIT
#include "layer-mounters.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/capability.h"
#include "lib/sys/syscall.h"
#include "process-file.h"

static int open_mount_ns_owner_of(pid_t pid)
{
	AUTO_CLOSE int ns = open_process_file(pid, "ns/mnt", O_RDONLY);

	return ns < 0 ? -1 : idm_sys_ioctl(ns, IDM_NS_GET_USERNS, NULL);
}

/* False: its root has no number here. */
static bool fill_in_mounter(struct mounter *mounter, int userns_fd)
{
	mounter->userns_fd = idm_sys_dup(userns_fd);
	if (mounter->userns_fd < 0 || idm_map_new(&mounter->userns_map) < 0)
		return false;
	return idm_map_add_userns(mounter->userns_map, userns_fd, NULL) == 0 &&
	       idm_map_to_seen(mounter->userns_map, IDM_UID, 0, &mounter->uid) == 0 &&
	       idm_map_to_seen(mounter->userns_map, IDM_GID, 0, &mounter->gid) == 0;
}

static void replace_by_parent_of(int *userns_fd)
{
	int parent = idm_sys_ioctl(*userns_fd, IDM_NS_GET_PARENT, NULL);

	close(*userns_fd);
	*userns_fd = parent;
}

/* Closes the descriptor. Returns false if one of them is not visible. */
static bool add_mounters_from(int userns_fd, struct mounters *mounters)
{
	AUTO_CLOSE int ns = userns_fd;

	while (ns >= 0 && !idm_is_initial_userns(ns)) {
		struct mounter *mounter = &mounters->list[mounters->n];

		if (mounters->n == MOUNTERS_MOST)
			return false;
		mounters->n++;
		if (!fill_in_mounter(mounter, ns))
			return false;
		replace_by_parent_of(&ns);
	}
	return ns >= 0;
}

static void add_initial_mounter(struct mounters *mounters)
{
	if (mounters->n < MOUNTERS_MOST)
		mounters->list[mounters->n++] = (struct mounter){ .userns_fd = -1 };
}

/* Root of any of these. In the initial mount namespace, it is that of the initial one. */
static bool guess_mounters(pid_t pid, struct mounters *mounters)
{
	if (!add_mounters_from(open_mount_ns_owner_of(pid), mounters) || mounters->n == MOUNTERS_MOST)
		return false;
	add_initial_mounter(mounters);
	return true;
}

static bool add_known_mounter(int userns_fd, struct mounters *mounters)
{
	if (userns_fd < 0)
		add_initial_mounter(mounters);
	else
		mounters->n = 1;
	return userns_fd < 0 || fill_in_mounter(&mounters->list[0], userns_fd);
}

void find_mounters(const struct idm_explain_info *place, pid_t pid, struct mounters *mounters)
{
	bool is_known = idm_in_initial_userns();

	*mounters = (struct mounters){ 0 };
	if (is_known)
		is_known = place->unseen & IDM_UNSEEN_FS_USERNS
				   ? guess_mounters(pid, mounters)
				   : add_known_mounter(place->fs_userns_fd, mounters);
	if (is_known)
		return;
	free_mounters(mounters);
	mounters->n = 0;
}

void find_roots(pid_t pid, struct mounters *roots)
{
	*roots = (struct mounters){ 0 };
	if (add_mounters_from(open_process_file(pid, "ns/user", O_RDONLY), roots))
		return;
	free_mounters(roots);
	roots->n = 0;
}

void free_mounters(struct mounters *mounters)
{
	for (size_t i = 0; i < mounters->n; i++) {
		idm_map_free(mounters->list[i].userns_map);
		idm_close_fd(&mounters->list[i].userns_fd);
	}
}
