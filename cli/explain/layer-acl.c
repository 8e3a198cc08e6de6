// SPDX-License-Identifier: MIT
/* The ACL that new files in a directory of an overlay get. A copy of the directory includes it. */
#include <endian.h>
#include <string.h>

#include "layer.h"
#include "lib/sys/syscall.h"

/* linux/posix_acl_xattr.h */
#define ACL_HEADER_SIZE 4
#define ACL_ENTRY_SIZE 8
#define ACL_USER 0x02
#define ACL_GROUP 0x08

static bool is_unmapped_entry(const unsigned char *entry, const struct idm_map *map)
{
	uint16_t tag;
	uint32_t id, disk;

	memcpy(&tag, entry, sizeof(tag));
	memcpy(&id, entry + 4, sizeof(id));
	tag = le16toh(tag);
	id = le32toh(id);
	if (tag != ACL_USER && tag != ACL_GROUP)
		return false;
	return id == IDM_EXPLAIN_NO_ID ||
	       (map && idm_map_to_disk(map, tag == ACL_USER ? IDM_UID : IDM_GID, id, &disk) < 0);
}

bool has_unmapped_default_acl(int fd, const struct idm_map *upper_map)
{
	char acl[4096];
	ssize_t n = idm_sys_getxattr(fd, "system.posix_acl_default", acl, sizeof(acl));

	for (ssize_t at = ACL_HEADER_SIZE; at + ACL_ENTRY_SIZE <= n; at += ACL_ENTRY_SIZE)
		if (is_unmapped_entry((const unsigned char *)acl + at, upper_map))
			return true;
	return false;
}
