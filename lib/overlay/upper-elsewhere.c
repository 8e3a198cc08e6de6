// SPDX-License-Identifier: MIT
/* Finds other mount namespaces with overlays that are not in the caller's own. Linux 6.12. */
#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>

#include "internal.h"
#include "lib/base/macros.h"
#include "lib/list/internal.h"
#include "lib/sys/syscall.h"

/* Returns whether the mount is an overlay that is not known yet. False if statmount(2) fails. */
static bool is_unknown_overlay(const struct idm_overlay_search *s, const struct idm_mount_ns *ns,
			       uint64_t id)
{
	struct idm_statmount mount;
	struct idm_mnt_id_req req = {
		.size = sizeof(req),
		.mnt_id = id,
		.param = IDM_STATMOUNT_SB_BASIC,
		.mnt_ns_id = ns->id,
	};

	if (idm_plain_mounts_find(s->plain, id) || idm_sys_statmount(&req, &mount, sizeof(mount)) < 0)
		return false;
	if (mount.sb_magic == OVERLAYFS_SUPER_MAGIC)
		return !s->is_known(mount.sb_dev_major, mount.sb_dev_minor, s->data);
	idm_plain_mounts_add(s->plain, id);
	return false;
}

static bool has_unknown_overlay(const struct idm_overlay_search *s, const struct idm_mount_ns *ns)
{
	struct idm_mnt_id_req req = {
		.size = sizeof(req),
		.mnt_id = IDM_LSMT_ROOT,
		.mnt_ns_id = ns->id,
	};
	uint64_t ids[256];
	ssize_t n = ARRAY_SIZE(ids);

	while (n == ARRAY_SIZE(ids)) {
		n = idm_sys_listmount(&req, ids, ARRAY_SIZE(ids));
		for (ssize_t i = 0; i < n; i++)
			if (is_unknown_overlay(s, ns, ids[i]))
				return true;
		req.param = n > 0 ? ids[n - 1] : 0;
	}
	return false;
}

/* Skips a namespace that no longer exists, or that the caller cannot join. */
static void ask_in_namespace(const struct idm_overlay_search *s, const struct idm_mount_ns *ns)
{
	AUTO_CLOSE int fd = idm_mount_ns_open(ns->id, NULL);

	if (fd >= 0)
		idm_mount_ns_join(fd, s->ask, s->data, NULL);
}

void idm_overlay_search_elsewhere(const struct idm_overlay_search *s)
{
	AUTO_FREE struct idm_mount_ns *list = NULL;
	size_t n = 0;

	if (idm_mount_ns_others(&list, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n && !s->is_done(s->data); i++)
		if (has_unknown_overlay(s, &list[i]))
			ask_in_namespace(s, &list[i]);
}
