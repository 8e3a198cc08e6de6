// SPDX-License-Identifier: MIT
/* The callback may mount, unmount and end it; what others do at the same time spoils nothing. */
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "listing.h"

/* ---- what it does ---- */

static int unmount_the_next(const struct idm_mount_info *mount, void *list)
{
	if (!is_ours(mount))
		return 0;
	listing_keep(mount, list);
	if (strcmp(mount->target, at("v1")) == 0) {
		do_umount_idle(at("v2"));
		do_umount_idle(at("v4"));
		do_umount_idle(mount->target);
	}
	return 0;
}

TEST(unmounting_what_is_to_come)
{
	char name[16];

	listing_enter();
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = { 0 };

		for (int i = 1; i <= 5; i++) {
			snprintf(name, sizeof(name), "v%d", i);
			put(name, "0:1:1");
		}
		assert_int_equal(list_by(level, 0, unmount_the_next, &list, NULL), 0);
		assert_int_equal(list.n, 3);
		assert_mapped(find(&list, at("v1")), level, "0:1:1");
		assert_mapped(find(&list, at("v3")), level, "0:1:1");
		assert_mapped(find(&list, at("v5")), level, "0:1:1");
		do_umount_idle(at("v3"));
		do_umount_idle(at("v5"));
	}
}

/* The short id of what has gone is given to what comes: nothing of the one must be told of the other. */
static int exchange(const struct idm_mount_info *mount, void *list)
{
	if (!is_ours(mount))
		return 0;
	listing_keep(mount, list);
	if (strcmp(mount->target, at("x1")) == 0) {
		do_umount_idle(at("x2"));
		do_mount("new", made("other"), "tmpfs", MS_NOSUID | MS_NOEXEC, NULL);
	}
	return 0;
}

static void assert_source(const struct idm_mount_info *m, const char *source)
{
	assert_non_null(m);
	assert_string_equal(m->source, source);
}

TEST(ids_that_return)
{
	static const char *const left[] = { "x1", "x3", "other" };

	listing_enter();
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = { 0 };
		const struct idm_mount_info *other;

		do_mount("one", made("x1"), "tmpfs", 0, NULL);
		do_mount("two", made("x2"), "tmpfs", 0, NULL);
		do_mount("three", made("x3"), "tmpfs", 0, NULL);
		assert_int_equal(list_by(level, UNMAPPED, exchange, &list, NULL), 0);
		assert_null(find(&list, at("x2")));
		assert_source(find(&list, at("x1")), "one");
		assert_source(find(&list, at("x3")), "three");
		other = find(&list, at("other")); /* it may be told, but then as what it is */
		if (other) {
			assert_source(other, "new");
			assert_int_equal(other->attr, IDM_ATTR_NOSUID | IDM_ATTR_NOEXEC);
		}
		for (size_t i = 0; i < ARRAY_SIZE(left); i++)
			do_umount_idle(at(left[i]));
	}
}

static int mount_more(const struct idm_mount_info *mount, void *data)
{
	int *n = data;
	char name[32];

	(void)mount;
	snprintf(name, sizeof(name), "more%d", *n);
	if (++*n <= 200)
		put(name, "0:1:1");
	return 0;
}

TEST(mounting_during_the_list)
{
	listing_enter();
	put("seed", "0:1:1");
	FOR_EACH_LEVEL(level)
	{
		int n = 0;

		assert_int_equal(list_by(level, 0, mount_more, &n, NULL), 0);
		assert_true(n > 0);
	}
}

/* ---- what it answers ---- */

struct answer {
	int calls, second;
};

static int answer(const struct idm_mount_info *mount, void *data)
{
	struct answer *a = data;

	(void)mount;
	return ++a->calls == 2 ? a->second : 0;
}

TEST(its_answer_ends_it)
{
	static const int answers[] = {
		1, 77, -1, -ENOENT, -EOVERFLOW, -ENOSYS, -ENOTTY, -EPERM, -ENOMEM
	};

	listing_enter();
	put("a", "0:1:1");
	put("b", "0:1:1");
	put("c", "0:1:1");
	FOR_EACH_LEVEL(level)
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct answer a = { 0, answers[i] }, once = { 1, answers[i] };
		struct idm_error err = { .errnum = 4711 };

		assert_int_equal(list_by(level, 0, answer, &a, &err), answers[i]);
		assert_int_equal(a.calls, 2);
		assert_int_equal(err.errnum, 4711);
		assert_int_equal(list_path_by(level, AT_FDCWD, at("b"), answer, &once, &err),
				 answers[i]);
		assert_int_equal(once.calls, 2);
		assert_int_equal(err.errnum, 4711);
	}
}

TEST(wrong_flags_and_no_call)
{
	struct idm_error err;

	listing_enter();
	put("a", "0:1:1");
	FOR_EACH_LEVEL(level)
	for (unsigned int flags = 4; flags; flags <<= 1) {
		assert_error(list_by(level, flags | 1, listing_never, NULL, &err), -EINVAL, &err, "",
			     "list mounts", "flags");
		assert_int_equal(list_by(level, flags, listing_never, NULL, NULL), -EINVAL);
	}
}

/* ---- what others do ---- */

static void go_to_any_processor(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	must(sched_setaffinity(0, sizeof(all), &all));
}

/* Mounts and unmounts until it is killed. The source of each says where it is. */
static void churn(void)
{
	char name[24], next[24];

	go_to_any_processor();
	for (unsigned int i = 0;; i++) {
		snprintf(name, sizeof(name), "churn/t%u", i % 41);
		snprintf(next, sizeof(next), "churn/t%u", (i + 1) % 41);
		idm_sys_umount(at(next), 0);
		do_mount(at(name), made(name), "tmpfs", i % 41 & 1 ? MS_NOEXEC : 0, NULL);
	}
}

static int one_and_the_same(const struct idm_mount_info *mount, void *data)
{
	size_t length = strlen(at("churn/t"));
	const char *number = mount->target + length;
	int *n = data;

	if (strncmp(mount->target, at("churn/t"), length) != 0)
		return 0;
	++*n;
	assert_string_equal(mount->source, mount->target);
	assert_string_equal(mount->fstype, "tmpfs");
	assert_int_equal(!(mount->attr & IDM_ATTR_NOEXEC), !(atoi(number) & 1));
	return 0;
}

/* What is told of a mount belongs to that mount. */
TEST(among_others_that_mount_and_unmount)
{
	int status;
	pid_t pid;

	listing_enter();
	made("churn");
	pid = (pid_t)must(fork());
	if (pid == 0)
		churn();
	FOR_EACH_LEVEL(level)
	{
		struct idm_error err = { 0 };
		int n = 0;

		for (int i = 0; i < 200 || !n; i++) {
			assert_int_equal(list_by(level, UNMAPPED, one_and_the_same, &n, &err), 0);
			assert_int_equal(err.errnum, 0);
		}
	}
	must(kill(pid, SIGKILL));
	must(waitpid(pid, &status, 0));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
