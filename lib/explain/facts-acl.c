// SPDX-License-Identifier: MIT
/*
 * Access control lists and file capabilities, as getxattr(2) returns them through a mount. The kernel
 * converts their IDs to those that the caller's user namespace has; 4294967295 is an ID without a
 * number.
 */
#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

/* <linux/posix_acl_xattr.h> and <linux/posix_acl.h> */
#define ACL_VERSION 2
enum { TAG_USER = 0x02, TAG_GROUP_OBJ = 0x04, TAG_GROUP = 0x08 };

struct stored_acl {
	uint32_t version;
	struct stored_entry {
		uint16_t tag, permissions;
		uint32_t id;
	} entries[];
};

/* Those of ext4 and most others fit. Threads can have small stacks. */
union short_acl {
	struct stored_acl acl;
	char bytes[4096];
};

static void add_stored_entry(struct idm_acl_facts *acl, const struct stored_entry *stored)
{
	uint16_t tag = le16toh(stored->tag), permissions = le16toh(stored->permissions);

	if (tag == TAG_GROUP_OBJ)
		acl->group = permissions;
	if (tag == TAG_USER || tag == TAG_GROUP)
		acl->entries[acl->n++] = (struct idm_acl_entry){ tag == TAG_USER ? IDM_UID : IDM_GID,
								 le32toh(stored->id), permissions };
}

/* Neither of them is a failure: the filesystem knows no such attribute, or the file has none. */
static int means_none(ssize_t code)
{
	return code == -ENODATA || code == -EOPNOTSUPP ? 0 : (int)code;
}

static ssize_t read_stored_acl(int fd, struct stored_acl *stored, size_t size)
{
	return idm_sys_getxattr(fd, "system.posix_acl_access", stored, size);
}

static int add_stored_acl(struct idm_acl_facts *acl, const struct stored_acl *stored, ssize_t n)
{
	acl->n = 0;
	acl->group = 0;
	if (n < 0)
		return means_none(n);
	if (n < 4 || le32toh(stored->version) != ACL_VERSION)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < ((size_t)n - 4) / sizeof(stored->entries[0]); i++)
		add_stored_entry(acl, &stored->entries[i]);
	return 1;
}

int idm_collect_acl(int fd, struct idm_acl_facts *acl)
{
	AUTO_FREE struct stored_acl *stored = NULL;
	union short_acl buf;
	ssize_t n = read_stored_acl(fd, &buf.acl, sizeof(buf));

	if (n != -ERANGE)
		return add_stored_acl(acl, &buf.acl, n);
	stored = malloc(XATTR_SIZE_MAX);
	if (!stored)
		return -ENOMEM;
	return add_stored_acl(acl, stored, read_stored_acl(fd, stored, XATTR_SIZE_MAX));
}

static uint64_t join_capabilities(uint32_t low, uint32_t high)
{
	return le32toh(low) | (uint64_t)le32toh(high) << 32;
}

int idm_collect_file_capabilities(int fd, struct idm_explain_info *place)
{
	struct vfs_ns_cap_data stored = { 0 };
	ssize_t n = idm_sys_getxattr(fd, "security.capability", &stored, sizeof(stored));

	if (n < 0)
		return means_none(n);
	if (n < (ssize_t)sizeof(struct vfs_cap_data))
		return -EOPNOTSUPP;
	place->file_capabilities =
		join_capabilities(stored.data[0].permitted, stored.data[1].permitted);
	place->file_capabilities_inheritable =
		join_capabilities(stored.data[0].inheritable, stored.data[1].inheritable);
	place->file_capabilities_effective = le32toh(stored.magic_etc) & VFS_CAP_FLAGS_EFFECTIVE;
	/* Without a root ID, the capabilities are those of the initial user namespace. */
	if (n == sizeof(stored))
		place->file_capabilities_root = le32toh(stored.rootid);
	return 1;
}
