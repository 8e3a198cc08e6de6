// SPDX-License-Identifier: MIT
/*
 * Replies of statmount(2), including those that no real kernel returns. An emulated kernel, or a filter
 * that answers for the kernel, may be wrong. The library must not read outside of the reply.
 *
 * The input is a sequence of replies, one for each call. After its end the call fails with -ENOENT. The
 * first byte of a reply selects its kind. The fields of take_head() and the strings follow.
 */
#include <errno.h>
#include <string.h>

#include "fuzz-procfs.h"
#include "fuzz.h"
#include "lib/list/internal.h"
#include "lib/sys/syscall.h"

int __wrap_idm_sys_statmount(const struct idm_mnt_id_req *req, struct idm_statmount *buf, size_t size);
ssize_t __wrap_idm_sys_listmount(const struct idm_mnt_id_req *req, uint64_t *ids, size_t n);

static struct input replies;

/* Reads only the fields that the library uses. A fuzzer would rarely hit them among 512 bytes. */
static void take_head(struct input *in, struct idm_statmount *m)
{
	m->mask = take_number(in, 4);
	m->supported_mask = take_number(in, 4);
	m->mnt_attr = take_number(in, 4);
	m->mnt_propagation = take_number(in, 4);
	m->mnt_id_old = (uint32_t)take_number(in, 4);
	m->mnt_root = (uint32_t)take_number(in, 4);
	m->mnt_point = (uint32_t)take_number(in, 4);
	m->fs_type = (uint32_t)take_number(in, 4);
	m->fs_subtype = (uint32_t)take_number(in, 4);
	m->sb_source = (uint32_t)take_number(in, 4);
	m->mnt_uidmap_num = (uint32_t)take_number(in, 4);
	m->mnt_uidmap = (uint32_t)take_number(in, 4);
	m->mnt_gidmap_num = (uint32_t)take_number(in, 4);
	m->mnt_gidmap = (uint32_t)take_number(in, 4);
	m->mnt_id = 7;
	m->mnt_parent_id = 6;
}

enum { REPLY, LYING_REPLY, VANISHED, TOO_LONG, REFUSED, WAYS };

static int reply(struct idm_statmount *buf, size_t room, bool lies)
{
	struct idm_statmount m = { 0 };
	uint32_t claimed = lies ? (uint32_t)take_number(&replies, 4) : 0;
	size_t text;

	take_head(&replies, &m);
	text = take_number(&replies, 2);
	if (text > replies.left)
		text = replies.left;
	if (sizeof(m) + text > room)
		return -EOVERFLOW;
	m.size = lies ? claimed : (uint32_t)(sizeof(m) + text);
	memset(buf, 'x', room);
	memcpy(buf, &m, sizeof(m));
	if (text)
		memcpy(buf->str, replies.at, text);
	replies.at += text;
	replies.left -= text;
	return 0;
}

int __wrap_idm_sys_statmount(const struct idm_mnt_id_req *req, struct idm_statmount *buf, size_t size)
{
	(void)req;
	CHECK(size >= sizeof(*buf));
	if (!replies.left)
		return -ENOENT;
	switch (take_number(&replies, 1) % WAYS) {
	case REPLY:
		return reply(buf, size, false);
	case LYING_REPLY:
		return reply(buf, size, true);
	case TOO_LONG:
		return -EOVERFLOW;
	case REFUSED:
		return -EPERM;
	default:
		return -ENOENT;
	}
}

/* Lists four mounts. Each call for one of them gets the next reply. */
ssize_t __wrap_idm_sys_listmount(const struct idm_mnt_id_req *req, uint64_t *ids, size_t n)
{
	(void)req;
	for (uint64_t i = 0; i < 4 && i < n; i++)
		ids[i] = i + 1;
	return n < 4 ? (ssize_t)n : 4;
}

static int look(const struct idm_mount_info *mount, void *data)
{
	(void)data;
	check_mount(mount);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char mountinfo[] =
		"5 1 0:1 / /five rw - tmpfs five rw\n6 1 0:1 / /six rw - ext4 six rw\n";
	const struct idm_mount_ns ns = { .id = 1, .inode = 2 };
	struct idm_error err;
	struct idm_lister lister = { IDM_LIST_NEWEST, IDM_LIST_UNMAPPED, look, NULL, &err };
	int r;

	set_mountinfo(mountinfo, strlen(mountinfo));
	replies = (struct input){ data, size };
	r = idm_statmount_list(&lister, &ns);
	if (r < 0)
		CHECK_ERROR(r, &err);
	return 0;
}
