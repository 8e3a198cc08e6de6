// SPDX-License-Identifier: MIT
#include "idmap-from-statmount.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "idmap.h"
#include "lib/base/macros.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"

/* n strings "DISK SEEN COUNT", one behind the other. */
static int append_side(struct idm_map *map, unsigned int kind, const char *s, size_t n)
{
	AUTO_FREE struct idm_entry *entries = calloc(n + 1, sizeof(*entries));
	char *end;

	if (!entries)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++, s += strlen(s) + 1) {
		entries[i].disk = (uint32_t)strtoul(s, &end, 10);
		entries[i].seen = (uint32_t)strtoul(end, &end, 10);
		entries[i].count = (uint32_t)strtoul(end, NULL, 10);
	}
	return idm_map_add(map, kind, entries, n, NULL);
}

int idm_map_add_statmount(struct idm_map *map, const struct idm_statmount *m, unsigned int *told)
{
	int r = 0;

	if (m->mask & IDM_STATMOUNT_MNT_UIDMAP) {
		r = append_side(map, IDM_UID, m->str + m->mnt_uidmap, m->mnt_uidmap_num);
		*told |= IDM_UID;
	}
	if (r == 0 && m->mask & IDM_STATMOUNT_MNT_GIDMAP) {
		r = append_side(map, IDM_GID, m->str + m->mnt_gidmap, m->mnt_gidmap_num);
		*told |= IDM_GID;
	}
	return r;
}

static bool is_full(const struct idm_side *side)
{
	uint64_t ids = 0;

	for (size_t i = 0; i < side->n; i++)
		ids += side->entries[i].count;
	return ids == IDM_ID_END;
}

unsigned int idm_map_full_sides(const struct idm_map *map)
{
	return (is_full(&map->uid) ? IDM_UID : 0) | (is_full(&map->gid) ? IDM_GID : 0);
}

static bool has_every_id(int procfs, const char *name)
{
	AUTO_CLOSE int fd = procfs < 0 ? procfs : idm_procfs_openat(procfs, name, O_RDONLY);
	unsigned int count;
	char text[64];
	ssize_t n = fd < 0 ? 0 : idm_sys_read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return sscanf(text, "%*u %*u %u", &count) == 1 && count == IDM_ID_END;
}

unsigned int idm_sides_without_gaps(void)
{
	AUTO_CLOSE int procfs = idm_procfs_root(NULL);

	return (has_every_id(procfs, "thread-self/uid_map") ? IDM_UID : 0) |
	       (has_every_id(procfs, "thread-self/gid_map") ? IDM_GID : 0);
}
