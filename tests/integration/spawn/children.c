// SPDX-License-Identifier: MIT
#include "children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

struct idm_child_options script_options(const char *const *argv)
{
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;

	o.path = "/bin/sh";
	o.argv = argv;
	return o;
}

int child_of(const struct idm_child_options *o)
{
	struct idm_error err;

	return (int)assert_ok(idm_child_start(o, &err), &err);
}

struct idm_exit_info end_of(int pidfd)
{
	struct idm_error err;
	struct idm_exit_info exit;

	assert_ok(idm_child_wait(pidfd, -1, &exit, &err), &err);
	close(pidfd);
	return exit;
}

void assert_ends_at(const char *file, int line, int pidfd, int code, int status)
{
	struct idm_exit_info exit = end_of(pidfd);

	if (exit.code != code || exit.status != status)
		fail_at(file, line, "it ended with code %d, status %d instead of %d, %d", exit.code,
			exit.status, code, status);
}

char *output_of(const struct idm_child_options *o)
{
	struct idm_child_options own = *o;
	AUTO_CLOSE int output = (int)must(memfd_create("output", MFD_CLOEXEC));
	AUTO_FREE struct idm_child_fd *fds = calloc(o->n_fds + 2, sizeof(*fds));
	struct idm_exit_info exit;
	char *text;
	struct stat st;

	assert_non_null(fds);
	if (o->n_fds)
		memcpy(fds, o->fds, o->n_fds * sizeof(*fds));
	fds[o->n_fds] = (struct idm_child_fd){ output, 1 };
	fds[o->n_fds + 1] = (struct idm_child_fd){ output, 2 };
	own.fds = fds;
	own.n_fds += 2;
	exit = end_of(child_of(&own));
	must(fstat(output, &st));
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	must(pread(output, text, (size_t)st.st_size, 0));
	if (exit.code != CLD_EXITED || exit.status != 0)
		fail_msg("it ended with code %d, status %d and wrote:\n%s", exit.code, exit.status,
			 text);
	return text;
}

void assert_output_at(const char *file, int line, const struct idm_child_options *o, const char *text)
{
	AUTO_FREE char *actual = output_of(o);

	assert_string_at(file, line, "the output", actual, text);
}

void assert_no_child_at(const char *file, int line, const struct idm_child_options *o, int code,
			const char *subject, const char *step, const char *reason)
{
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
	struct idm_error err;

	assert_error_at(file, line, "idm_child_start", idm_child_start(o, &err), code, &err, subject,
			step, reason);
	snapshot_assert_same(before);
	assert_int_equal(idm_child_start(o, NULL), code);
}

int new_root(void)
{
	struct idm_tree_options t = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;

	t.flags = IDM_TREE_RECURSIVE;
	return (int)assert_ok(idm_tree_open(AT_FDCWD, SCRATCH "/root", -1, &t, &err), &err);
}

void make_root(void)
{
	static const char *const shared[] = { "bin", "lib", "lib64", "usr" };
	char path[64], from[16];

	scratch_enter();
	scratch_dir(SCRATCH "/root");
	do_mount("root", SCRATCH "/root", "tmpfs", 0, "mode=755");
	scratch_dir(SCRATCH "/root/proc");
	scratch_dir(SCRATCH "/root/put");
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		struct stat st;

		snprintf(from, sizeof(from), "/%s", shared[i]);
		snprintf(path, sizeof(path), SCRATCH "/root/%s", shared[i]);
		if (lstat(from, &st) < 0)
			continue;
		if (S_ISLNK(st.st_mode)) {
			char link[64] = "";

			must(readlink(from, link, sizeof(link) - 1));
			must(symlink(link, path));
			continue;
		}
		scratch_dir(path);
		do_mount(from, path, NULL, MS_BIND, NULL);
	}
	scratch_file(SCRATCH "/root/inside", "");
}

struct idm_child_options rooted_options(const char *script, const struct idm_map *map,
					const struct idm_child_mount *mounts, size_t n)
{
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	static const char *argv[4] = { "sh", "-c" };

	argv[2] = script;
	o.path = "/bin/sh";
	o.argv = argv;
	o.map = map;
	o.root_fd = new_root();
	o.mounts = mounts;
	o.n_mounts = n;
	return o;
}

void trees_are_refused(void)
{
	struct idm_error err;

	scratch_enter();
	assert_error(idm_tree_open(AT_FDCWD, "/", -1, NULL, &err), -ENOSYS, &err, "/", NULL, NULL);
}
