// SPDX-License-Identifier: MIT
/*
 * An empty tmpfs gets the map of the user namespace, and statmount(2) reports it by descriptor (Linux
 * 7.0). No process is made. The mount is attached nowhere, so no other process sees it.
 *
 * The kernel requires the same privilege over the namespace as a delegate does: mount_setattr(2) asks
 * for CAP_SYS_ADMIN in it, as setns(2) does. It refuses the initial one, one without a map and one with
 * one side only. Then, and where an entry could be missing, the delegate reads the map.
 */
#include "userns-by-mount.h"

#include <errno.h>
#include <stdlib.h>

#include "idmap-from-statmount.h"
#include "idmap.h"
#include "lib/base/macros.h"
#include "lib/sys/probe.h"
#include "lib/sys/statmount-answer.h"
#include "lib/sys/syscall.h"

/*
 * Opens the mount alone (O_PATH), and lets its tree go. The kernel reports a mount that is in no
 * namespace, and none that is alone in a detached tree.
 */
static int open_mapped_mount(int userns_fd)
{
	AUTO_CLOSE int tmpfs = idm_probe_tmpfs();
	int r = tmpfs < 0 ? tmpfs : idm_probe_map(tmpfs, userns_fd);

	return r < 0 ? r : idm_sys_open_tree(tmpfs, "", AT_EMPTY_PATH);
}

struct answer {
	int mount;
	struct idm_statmount *buf;
	struct idm_map *map;
	unsigned int told;
};

static int add_answer(struct answer *a, uint64_t sides)
{
	const struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0,
					    .mnt_fd = (uint32_t)a->mount,
					    .param = sides };
	int r = idm_sys_statmount_fd(&req, a->buf, IDM_STATMOUNT_SIZE_WITH_MAPS);

	if (r < 0)
		return r;
	if (!idm_statmount_is_whole(a->buf, IDM_STATMOUNT_SIZE_WITH_MAPS))
		return -EBADMSG;
	return idm_map_add_statmount(a->map, a->buf, &a->told);
}

/* Large maps come one side at a time. */
static int read_both_sides(struct answer *a)
{
	int r = add_answer(a, IDM_STATMOUNT_MAPS);

	if (r != -EOVERFLOW)
		return r;
	r = add_answer(a, IDM_STATMOUNT_MNT_UIDMAP);
	return r < 0 ? r : add_answer(a, IDM_STATMOUNT_MNT_GIDMAP);
}

static bool is_complete(const struct answer *a)
{
	unsigned int full = idm_map_full_sides(a->map);

	return a->told == IDM_BOTH &&
	       (full == IDM_BOTH || (full | idm_sides_without_gaps()) == IDM_BOTH);
}

struct idm_map *idm_read_userns_by_mount(int userns_fd)
{
	AUTO_CLOSE int mount = idm_kernel_reports_fd() ? open_mapped_mount(userns_fd) : -ENOSYS;
	AUTO_FREE struct idm_statmount *buf = NULL;
	struct answer a = { .mount = mount };

	if (mount < 0 || idm_map_new(&a.map) < 0)
		return NULL;
	a.buf = buf = malloc(IDM_STATMOUNT_SIZE_WITH_MAPS);
	if (buf && read_both_sides(&a) == 0 && is_complete(&a))
		return a.map;
	idm_map_free(a.map);
	return NULL;
}
