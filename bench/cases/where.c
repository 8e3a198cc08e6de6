// SPDX-License-Identifier: MIT
/*
 * The time of each system call that the library makes: "THING CALL COUNT MICROSECONDS" lines,
 * for one time that THING is done. What is left over is the library's own time, and the clone that makes
 * the child of a user namespace, which is in assembly.
 *
 * The linker redirects the library's calls into libc (-Wl,--wrap in meson.build), so that each can be
 * timed without tracing, which costs much more than most of them.
 *
 *   where [THING]...    userns mount plan overlay
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bench/lib/measure.h"
#include "bench/lib/userns-ways.h"

#define SOURCE PLACE "/source"
#define TARGET PLACE "/target"
#define MOUNTS 30
#define LAYERS 50

#define ROUNDS 41

/* ---- the calls ---- */

static const struct {
	long number;
	const char *name;
} names[] = {
	{ 467, "open_tree_attr" },
	{ SYS_capget, "capget" },
	{ SYS_clone3, "clone3" },
	{ SYS_close, "close" },
	{ SYS_fcntl, "fcntl" },
	{ SYS_fsconfig, "fsconfig" },
	{ SYS_fsmount, "fsmount" },
	{ SYS_fsopen, "fsopen" },
	{ SYS_fstatfs, "fstatfs" },
	{ SYS_mount_setattr, "mount_setattr" },
	{ SYS_move_mount, "move_mount" },
	{ SYS_newfstatat, "newfstatat" },
	{ SYS_open_tree, "open_tree" },
	{ SYS_openat, "openat" },
	{ SYS_openat2, "openat2" },
	{ SYS_pidfd_send_signal, "pidfd_send_signal" },
	{ SYS_read, "read" },
	{ SYS_readlinkat, "readlinkat" },
	{ SYS_rt_sigprocmask, "rt_sigprocmask" },
	{ SYS_statx, "statx" },
	{ SYS_umount2, "umount2" },
	{ SYS_waitid, "waitid" },
	{ SYS_write, "write" },
	{ -1, "others" },
};

#define NAMES COUNT(names)

static double us[NAMES];
static int calls[NAMES];

static void note(long number, double since)
{
	size_t i = 0;

	while (i < NAMES - 1 && names[i].number != number)
		i++;
	us[i] += now() - since;
	calls[i]++;
}

/* What the linker calls these functions is not for us to choose. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wreserved-identifier"
#endif

/* Each hands its arguments on, with the time taken before and behind. */
#define TIMED(number, result, name, parameters, arguments) \
	result __real_##name parameters;                   \
	result __wrap_##name parameters                    \
	{                                                  \
		double since = now();                      \
		result r = __real_##name arguments;        \
		int saved = errno;                         \
                                                           \
		note(number, since);                       \
		errno = saved;                             \
		return r;                                  \
	}

TIMED(SYS_close, int, close, (int fd), (fd))
TIMED(SYS_read, ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
TIMED(SYS_write, ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
TIMED(SYS_openat, int, openat64, (int at, const char *path, int flags, mode_t mode),
      (at, path, flags, mode))
TIMED(SYS_newfstatat, int, fstatat64, (int at, const char *path, void *st, int flags),
      (at, path, st, flags))
TIMED(SYS_fstatfs, int, fstatfs64, (int fd, void *st), (fd, st))
TIMED(SYS_fcntl, int, fcntl64, (int fd, int command, long argument), (fd, command, argument))
TIMED(SYS_readlinkat, ssize_t, readlinkat, (int at, const char *path, char *buf, size_t n),
      (at, path, buf, n))
TIMED(SYS_statx, int, statx, (int at, const char *path, int flags, unsigned int mask, void *st),
      (at, path, flags, mask, st))
TIMED(number, long, syscall, (long number, long a, long b, long c, long d, long e, long f),
      (number, a, b, c, d, e, f))

#pragma GCC diagnostic pop

/* ---- the things ---- */

static int userns;
static struct idm_map *map;
static struct idm_plan *plan;
static struct idm_path layers[LAYERS];

static void make_userns(void)
{
	close(userns_ours());
}

static void attach(int tree)
{
	struct idm_error err;

	check_idm(idm_tree_attach(tree, AT_FDCWD, TARGET, NULL, &err), &err);
	close(tree);
	check_idm(idm_umount(AT_FDCWD, TARGET, 0, &err), &err);
}

static void make_mount(void)
{
	struct idm_error err;

	attach(check_idm(idm_tree_open(AT_FDCWD, SOURCE, userns, NULL, &err), &err));
}

static void make_plan(void)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	struct idm_error err;

	check_idm(idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err), &err);
	check_idm(idm_umount(AT_FDCWD, TARGET, IDM_UMOUNT_LAZY, &err), &err);
}

static void make_overlay(void)
{
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	struct idm_error err;

	o.lower = layers;
	o.n_lower = LAYERS;
	o.map = map;
	attach(check_idm(idm_overlay_open(&o, &err), &err));
}

static void prepare_plan(void)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	struct idm_error err;
	char target[64];

	check(idm_plan_new(&plan), "plan");
	m.type = "bind";
	m.source = SOURCE;
	check_idm(idm_plan_add(plan, &m, &err), &err);
	m.type = m.source = "tmpfs";
	m.target = target;
	for (int i = 1; i < MOUNTS; i++) {
		snprintf(target, sizeof(target), SOURCE "/%d", i);
		mkdir_all(target);
		snprintf(target, sizeof(target), "/%d", i);
		check_idm(idm_plan_add(plan, &m, &err), &err);
	}
}

static void prepare_layers(void)
{
	for (int i = 0; i < LAYERS; i++) {
		char path[64];

		snprintf(path, sizeof(path), PLACE "/layers/%d/fs", i);
		mkdir_all(path);
		layers[i] = (struct idm_path){ AT_FDCWD, strdup(path) };
	}
}

static const struct {
	const char *name;
	void (*go)(void);
} things[] = {
	{ "userns", make_userns },
	{ "mount", make_mount },
	{ "plan", make_plan },
	{ "overlay", make_overlay },
};

/* ---- the table ---- */

static double total[ROUNDS], part[NAMES][ROUNDS];

static void measure_thing(void (*go)(void), int n, int often)
{
	for (int round = -1; round < often; round++) { /* one to warm up */
		int at = round < 0 ? 0 : round;
		double start;

		memset(us, 0, sizeof(us));
		memset(calls, 0, sizeof(calls));
		start = now();
		for (int i = 0; i < n; i++)
			go();
		total[at] = (now() - start) / n;
		for (size_t i = 0; i < NAMES; i++)
			part[i][at] = us[i] / n;
	}
}

static void print_parts(const char *thing, int n, int often)
{
	double left = median(total, often);

	for (size_t i = 0; i < NAMES; i++) {
		double m = median(part[i], often);

		left -= m;
		if (calls[i])
			printf("%s %s %d %.2f\n", thing, names[i].name, calls[i] / n, m);
	}
	printf("%s rest - %.2f\n", thing, left > 0 ? left : 0);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	bool done = false;

	userns_begin();
	enter_place();
	mkdir_all(TARGET);
	mkdir_all(SOURCE);
	userns = userns_ours();
	map = new_map(USERNS_MAP);
	prepare_plan();
	prepare_layers();
	for (size_t i = 0; i < COUNT(things); i++) {
		if (!is_wanted(things[i].name, argc, argv))
			continue;
		measure_thing(things[i].go, times(50), rounds(ROUNDS));
		print_parts(things[i].name, times(50), rounds(ROUNDS));
		done = true;
	}
	if (!done)
		fprintf(stderr, "usage: %s [userns|mount|plan|overlay]...\n", argv[0]);
	return done ? 0 : 2;
}
