// SPDX-License-Identifier: MIT
/*
 * The conditions about the caller prevent gains. In each test a process cannot read a file, and the
 * service refuses it a map. As a control, the same map is made without the rule, and the process reads
 * the file. Groups that cannot be left have their test in service-callers.c.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "clients.h"
#include "lib/base/macros.h"
#include "tests/lib/neighbour.h"

#define OF_UID "200005"	  /* for this uid alone, which /etc/subuid can grant */
#define OF_GROUP "of-gid" /* for this gid alone */

struct request {
	const struct mapper *mapper;
	int userns; /* -1: a new one */
	const char *map, *file, *reason;
	unsigned int lacking; /* a capability */
};

static int open_secret(int dir, const char *name)
{
	AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

/* Nothing but the map leads to the file. */
static void assert_gain_is_refused(const struct request *request, int tree, int userns)
{
	AUTO_CLOSE int dir = (int)must(open(DATA, O_PATH | O_CLOEXEC));

	assert_int_equal(open_secret(dir, request->file), -EACCES);
	assert_refused(ask(tree, userns), -EPERM, request->reason);
	assert_int_equal(open_secret(tree, request->file), -EACCES);
	mapper_ask(request->mapper, tree, userns);
	assert_int_equal(open_secret(tree, request->file), 0);
}

static void with_mapper(void (*body)(const struct mapper *mapper))
{
	struct service service;
	struct mapper mapper;

	enter_with_data();
	scratch_file(DATA "/" OF_GROUP, "secret");
	must(chown(DATA "/" OF_GROUP, 0, 200005));
	must(chmod(DATA "/" OF_GROUP, 0040));
	service = service_start(NULL);
	mapper = mapper_start();
	body(&mapper);
	mapper_end(&mapper);
	service_stop(&service);
}

/* ---- a process that executes no setuid program, such as newuidmap(1) ---- */

static const struct identity confined = {
	.uid = USER, .gid = USER, .map = "0 1500 1\n", .deny_setgroups = true, .no_new_privs = true
};

/* The kernel refuses it the range. */
static void assert_range_is_refused(void *unused)
{
	AUTO_CLOSE int fd = -1;

	(void)unused;
	must(unshare(CLONE_NEWUSER));
	fd = (int)must(open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC));
	assert_int_equal(write(fd, "0 200005 1\n", 11), -1);
	assert_int_equal(errno, EPERM);
}

static void ask_as_confined(void *data)
{
	const struct request *request = data;
	AUTO_CLOSE int tree = clone_tree(DATA);
	AUTO_CLOSE int userns = request->userns < 0 ? userns_of(request->map)
						    : (int)must(dup(request->userns));

	assert_gain_is_refused(request, tree, userns);
}

static void ask_for_a_range(const struct mapper *mapper)
{
	struct request request = { mapper, .userns = -1 };

	as_client((struct identity){ .uid = USER, .gid = USER, .no_new_privs = true },
		  assert_range_is_refused, NULL);
	request.map = "u:200005:0,g:1500:0";
	request.file = OF_UID;
	request.reason = "disk uid 200005";
	as_client(confined, ask_as_confined, &request);
	request.map = "u:1500:0,g:200005:0";
	request.file = OF_GROUP;
	request.reason = "disk gid 200005";
	as_client(confined, ask_as_confined, &request);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, range_of_the_user_would_be_a_gain)
{
	with_mapper(ask_for_a_range);
}

/* Another process of the user has the range, and makes the user namespace. */
static void ask_with_foreign_parent(const struct mapper *mapper)
{
	AUTO_CLOSE int userns = userns_of_client(ORDINARY, "u:200005:0,g:200005:0");
	struct request request = { mapper, .userns = userns, .reason = "not in the parent" };

	request.file = OF_UID;
	as_client(confined, ask_as_confined, &request);
	request.file = OF_GROUP;
	as_client(confined, ask_as_confined, &request);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, another_parent_would_be_a_gain)
{
	with_mapper(ask_with_foreign_parent);
}

/* ---- a namespace with few IDs ---- */

#define NO_ID UINT32_MAX
#define CLOSED "closed-to-all" /* the IDs of the namespace; others may read and write it */

static const struct acl against_users = { 2,
					  { { 0x01, 6, NO_ID },
					    { 0x02, 0, USER },
					    { 0x02, 0, 200000 },
					    { 0x04, 6, NO_ID },
					    { 0x10, 7, NO_ID },
					    { 0x20, 6, NO_ID } } };
static const struct acl against_groups = { 2,
					   { { 0x01, 6, NO_ID },
					     { 0x04, 6, NO_ID },
					     { 0x08, 0, USER },
					     { 0x08, 0, 200000 },
					     { 0x10, 7, NO_ID },
					     { 0x20, 6, NO_ID } } };

static void make_closed_file(const struct acl *acl)
{
	scratch_file(DATA "/" CLOSED, "secret");
	must(chown(DATA "/" CLOSED, OTHER_USER, OTHER_GROUP));
	must(setxattr(DATA "/" CLOSED, "system.posix_acl_access", acl, sizeof(*acl), 0));
}

static void assert_closed_to(uint32_t id)
{
	AUTO_CLOSE int dir = (int)must(open(DATA, O_PATH | O_CLOEXEC));
	pid_t pid = (pid_t)must(fork());

	if (pid == 0) {
		assert_true(become_subject(&(struct subject){ id, id, true, true }));
		assert_int_equal(open_secret(dir, CLOSED), -EACCES);
		_exit(0);
	}
	await_child(pid);
}

static void ask_with_few_ids(void *data)
{
	const struct request *request = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of(request->map);
	AUTO_CLOSE int all = clone_tree(DATA), userns_of_all = userns_of("1500:1,200000:0");

	assert_closed_to(0);
	assert_closed_to(1);
	must(syscall(SYS_setgroups, 0, NULL));
	assert_gain_is_refused(request, tree, userns);
	/* The map lacks its owner. So no change depends on ACLs of several files, as rename(2) does. */
	assert_int_equal(openat(tree, request->file, O_WRONLY | O_CLOEXEC), -1);
	assert_int_equal(errno, EACCES);
	assert_mapped(ask(all, userns_of_all));
	assert_int_equal(open_secret(all, request->file), -EACCES);
}

static void ask_for_some_of_few_ids(const struct mapper *mapper)
{
	const struct identity who = { .uid = USER, .gid = USER, .map = "0 1500 1\n1 200000 1\n" };
	struct request request = { mapper, .userns = -1, .file = CLOSED };

	make_closed_file(&against_users);
	request.map = "u:1500:1,g:1500:1,g:200000:0";
	request.reason = "each of the 2 uids";
	as_client(who, ask_with_few_ids, &request);
	make_closed_file(&against_groups);
	request.map = "u:1500:1,u:200000:0,g:1500:1";
	request.reason = "each of the 2 gids";
	as_client(who, ask_with_few_ids, &request);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, id_that_no_file_names_would_be_a_gain)
{
	with_mapper(ask_for_some_of_few_ids);
}

/* ---- a process in the parent, with some capabilities ---- */

#define WANTED (1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_SETFCAP | 1U << CAP_SYS_ADMIN)

static void keep_capabilities(uint32_t set)
{
	must(syscall(SYS_capset,
		     &(struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 },
		     (struct __user_cap_data_struct[2]){ { set, set, 0 } }));
}

/* All that the rule asks for but one, and none that passes permissions. */
static void ask_without_capability(void *data)
{
	const struct request *request = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of(request->map);

	assert_true(become_subject(&(struct subject){ 5, 5, true, true }));
	keep_capabilities(WANTED & ~(1U << request->lacking));
	assert_gain_is_refused(request, tree, userns);
}

static void ask_without_capabilities(const struct mapper *mapper)
{
	struct request request = { mapper, .userns = -1 };

	request.map = "u:200005:5,g:1500:0";
	request.file = OF_UID;
	request.lacking = CAP_SETUID;
	request.reason = "the caller requires CAP_SETUID";
	as_client(ORDINARY, ask_without_capability, &request);
	request.map = "u:1500:0,g:200005:5";
	request.file = OF_GROUP;
	request.lacking = CAP_SETGID;
	request.reason = "the caller requires CAP_SETGID";
	as_client(ORDINARY, ask_without_capability, &request);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, map_without_capabilities_would_be_a_gain)
{
	with_mapper(ask_without_capabilities);
}

/* ---- file capabilities for root of the parent ---- */

#define PROGRAM "program" /* of USER, which is root there */

struct setting {
	int dir, expected;
};

/* With all capabilities, in a user namespace whose root is ID 1 of the parent. */
static void set_capability_below(void *data)
{
	const struct setting *setting = data;
	const struct vfs_cap_data all = { .magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
					  .data = { { 0xff, 0 } } };

	enter_userns("0 1 1\n");
	must(fchdir(setting->dir));
	assert_int_equal(setxattr(PROGRAM, "security.capability", &all, sizeof(all), 0) < 0 ? -errno : 0,
			 setting->expected);
}

/* A namespace with the parent's ID 0 would have all capabilities over that root's files. */
static void be_refused_root_below(void *unused)
{
	struct neighbour n = neighbour_start(unshare_into_userns, NULL);
	char path[64];
	AUTO_CLOSE int fd = -1;

	(void)unused;
	snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)n.pid);
	fd = (int)must(open(path, O_WRONLY | O_CLOEXEC));
	assert_int_equal(write(fd, "0 0 1\n", 6), -1);
	assert_int_equal(errno, EPERM);
	neighbour_end(&n);
}

static void ask_without_setfcap(void *data)
{
	const struct request *request = data;
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("u:1500:1,g:1500:1");
	AUTO_CLOSE int dir = (int)must(open(DATA, O_RDONLY | O_CLOEXEC));

	assert_true(become_subject(&(struct subject){ 5, 5, true, true }));
	keep_capabilities(WANTED & ~(1U << CAP_SETFCAP));
	must(prctl(PR_SET_DUMPABLE, 1));
	in_child(be_refused_root_below, NULL);
	in_child(set_capability_below, &(struct setting){ dir, -EPERM });
	assert_refused(ask(tree, userns), -EPERM, "the caller requires CAP_SETFCAP");
	in_child(set_capability_below, &(struct setting){ tree, -EPERM });
	mapper_ask(request->mapper, tree, userns);
	in_child(set_capability_below, &(struct setting){ tree, 0 });
}

/* They count for each process of the parent, and have other ones than the client's. */
static void assert_capabilities_of_root(void)
{
	struct vfs_ns_cap_data data;

	assert_int_equal(must(getxattr(DATA "/" PROGRAM, "security.capability", &data, sizeof(data))),
			 sizeof(data));
	assert_int_equal(data.rootid, USER);
}

static void set_capabilities_of_root(const struct mapper *mapper)
{
	struct request request = { mapper, .userns = -1 };

	scratch_file(DATA "/" PROGRAM, "text");
	must(chown(DATA "/" PROGRAM, USER, USER));
	as_client(ORDINARY, ask_without_setfcap, &request);
	assert_capabilities_of_root();
}

TEST_SINCE(5, 12, mounts_are_not_mapped, file_capability_of_root_would_be_a_gain)
{
	with_mapper(set_capabilities_of_root);
}
