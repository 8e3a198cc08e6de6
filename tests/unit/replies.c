// SPDX-License-Identifier: MIT
/*
 * What a listing makes of answers that the kernel does not give, but something in its place may: an
 * emulated kernel, a filter. The functions that ask are replaced when this is linked.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/list/internal.h"
#include "lib/sys/procfs.h"
#include "lib/sys/syscall.h"
#include "tests/lib/test.h"

int __wrap_idm_procfs_root(struct idm_error *err);
int __wrap_idm_procfs_openat(int process, const char *name, int flags);
int __wrap_idm_sys_statmount(const struct idm_mnt_id_req *req, struct idm_statmount *buf, size_t size);
ssize_t __wrap_idm_sys_listmount(const struct idm_mnt_id_req *req, uint64_t *ids, size_t n);

static const struct idm_mount_ns ns = { .id = 1, .inode = 2 };

/* ---- mountinfo ---- */

static const char *mountinfo;

int __wrap_idm_procfs_root(struct idm_error *err)
{
	(void)err;
	return (int)must(memfd_create("root", MFD_CLOEXEC));
}

int __wrap_idm_procfs_openat(int process, const char *name, int flags)
{
	const char *text = strstr(name, "_map") ? "0 0 4294967295\n" : mountinfo;
	int fd = (int)must(memfd_create("file", MFD_CLOEXEC));

	(void)process, (void)flags;
	assert_int_equal(must(write(fd, text, strlen(text))), strlen(text));
	must(lseek(fd, 0, SEEK_SET));
	return fd;
}

struct listed {
	size_t n;
	char text[1000];
};

static int collect(const struct idm_mount_info *m, void *data)
{
	struct listed *l = data;
	size_t length = strlen(l->text);

	snprintf(l->text + length, sizeof(l->text) - length, "[%s|%s|%s|%s]", m->root, m->target,
		 m->fstype, m->source);
	l->n++;
	return 0;
}

static struct listed listed(const char *text)
{
	struct listed l = { 0 };
	struct idm_error err;
	struct idm_lister lister = { IDM_LIST_MOUNTINFO, IDM_LIST_UNMAPPED, collect, &l, &err };

	mountinfo = text;
	assert_ok(idm_mountinfo_list(&lister, &ns, -1), &err);
	return l;
}

/* A process whose root is on no mount that it can see has an empty one. */
TEST(no_line_is_no_mount)
{
	assert_int_equal(listed("").n, 0);
}

TEST(lines_may_end_anywhere)
{
	static const char line[] = "5 1 0:1 /r /t rw shared:1 - tmpfs source rw\n";

	for (size_t n = 1; n < sizeof(line); n++) {
		char *text = strndup(line, n);

		assert_int_equal(listed(text).n, 1);
		free(text);
	}
	assert_string_equal(listed("5 1 0:1 /r").text, "[/r|||]");
	assert_string_equal(listed("\n\n5 \n").text, "[|||][|||][|||]");
	assert_string_equal(listed(line).text, "[/r|/t|tmpfs|source]");
	assert_string_equal(listed("5 1 0:1 /r /t rw - tmpfs  rw\n").text, "[/r|/t|tmpfs|]");
}

/* ---- statmount ---- */

static struct idm_statmount reply;
static const char *strings;
static size_t strings_length;
static int answers; /* questions that may still be asked */

int __wrap_idm_sys_statmount(const struct idm_mnt_id_req *req, struct idm_statmount *buf, size_t size)
{
	(void)req;
	if (answers-- <= 0)
		return -ENOENT;
	assert_true(sizeof(reply) + strings_length <= size);
	memset(buf, 'x', size);
	memcpy(buf, &reply, sizeof(reply));
	if (strings_length)
		memcpy(buf->str, strings, strings_length);
	return 0;
}

ssize_t __wrap_idm_sys_listmount(const struct idm_mnt_id_req *req, uint64_t *ids, size_t n)
{
	(void)req, (void)n;
	ids[0] = 7;
	return 1;
}

static int list_mounts(struct idm_error *err)
{
	struct listed l = { 0 };
	struct idm_lister lister = { IDM_LIST_NEWEST, IDM_LIST_UNMAPPED, collect, &l, err };

	answers = 1;
	return idm_statmount_list(&lister, &ns);
}

#define TEXT                    \
	"/root\0/point\0ext4\0" \
	"0 1000 1\0"            \
	"1 2000 1\0"

static void make_good_reply(void)
{
	strings = TEXT;
	strings_length = sizeof(TEXT) - 1;
	reply = (struct idm_statmount){
		.size = (uint32_t)(sizeof(reply) + strings_length),
		.mask = IDM_STATMOUNT_MNT_BASIC | IDM_STATMOUNT_MNT_ROOT | IDM_STATMOUNT_MNT_POINT |
			IDM_STATMOUNT_FS_TYPE | IDM_STATMOUNT_SB_SOURCE | IDM_STATMOUNT_MNT_UIDMAP |
			IDM_STATMOUNT_MNT_GIDMAP,
		.mnt_id = 7,
		.mnt_attr = IDM_ATTR_IDMAP,
		.mnt_point = 6,
		.fs_type = 13,
		.mnt_uidmap = 18,
		.mnt_uidmap_num = 2,
		.mnt_gidmap = 27,
		.mnt_gidmap_num = 1,
	};
}

static void assert_refused(void)
{
	struct idm_error err;

	assert_error(list_mounts(&err), -EBADMSG, &err, "mount id 7", "list mounts", NULL);
}

TEST(an_answer_that_holds_together_is_taken)
{
	struct idm_error err;

	make_good_reply();
	assert_ok(list_mounts(&err), &err);
}

TEST(strings_lie_within_the_answer)
{
	uint32_t *const offsets[] = { &reply.mnt_root,	&reply.mnt_point,  &reply.fs_type,
				      &reply.sb_source, &reply.mnt_uidmap, &reply.mnt_gidmap };
	const uint32_t bad[] = { sizeof(TEXT) - 1, 100000, 1U << 31, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++)
		for (size_t k = 0; k < ARRAY_SIZE(bad); k++) {
			make_good_reply();
			*offsets[i] = bad[k];
			assert_refused();
		}
}

TEST(the_last_string_has_an_end)
{
	make_good_reply();
	strings_length--;
	reply.size--;
	assert_refused();
}

TEST(the_size_is_that_of_an_answer)
{
	const uint32_t bad[] = { 0, sizeof(reply) - 1, sizeof(reply), 1U << 20, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		make_good_reply();
		reply.size = bad[i];
		assert_refused();
	}
}

TEST(no_more_rows_than_there_are)
{
	const uint32_t bad[] = { 3, 1000, UINT32_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		make_good_reply();
		reply.mnt_uidmap_num = bad[i];
		assert_refused();
	}
}
