// SPDX-License-Identifier: MIT
#include "statmount-answer.h"

#include <string.h>

#include "lib/base/macros.h"

/* n strings, one behind the other, all of them within the text; the last byte of that is a NUL. */
static bool holds_strings(const struct idm_statmount *m, size_t length, uint32_t offset, uint32_t n)
{
	for (size_t at = offset; n > 0; n--) {
		if (at >= length)
			return false;
		at += strlen(m->str + at) + 1;
	}
	return true;
}

bool idm_statmount_is_whole(const struct idm_statmount *m, size_t capacity)
{
	const struct {
		uint64_t flag;
		uint32_t offset, n;
	} parts[] = {
		{ IDM_STATMOUNT_MNT_ROOT, m->mnt_root, 1 },
		{ IDM_STATMOUNT_MNT_POINT, m->mnt_point, 1 },
		{ IDM_STATMOUNT_FS_TYPE, m->fs_type, 1 },
		{ IDM_STATMOUNT_FS_SUBTYPE, m->fs_subtype, 1 },
		{ IDM_STATMOUNT_SB_SOURCE, m->sb_source, 1 },
		{ IDM_STATMOUNT_MNT_UIDMAP, m->mnt_uidmap, m->mnt_uidmap_num },
		{ IDM_STATMOUNT_MNT_GIDMAP, m->mnt_gidmap, m->mnt_gidmap_num },
	};
	size_t length;

	if (m->size < sizeof(*m) || m->size > capacity)
		return false;
	/* Of the most only attributes are asked. */
	if (!(m->mask & (IDM_STATMOUNT_STRINGS | IDM_STATMOUNT_NEW_STRINGS | IDM_STATMOUNT_MAPS)))
		return true;
	length = m->size - sizeof(*m);
	if (length && m->str[length - 1])
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (m->mask & parts[i].flag && !holds_strings(m, length, parts[i].offset, parts[i].n))
			return false;
	return true;
}
