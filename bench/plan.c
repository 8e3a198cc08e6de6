// SPDX-License-Identifier: MIT
/*
 * What a plan costs: 30 mounts put together and attached by idm_plan_apply(), in its ways, beside
 * mount(2) for each of them, which everybody can watch: of new filesystems, of binds, and of read-only
 * binds, for which mount(2) has to be called twice. Unmounting is not timed. All are timed in turn,
 * round by round, so that a machine that gets slower does so for all of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "idmount.h"

#define ROUNDS 61
#define MOUNTS 30
#define PLACE "/mnt" /* a tmpfs in a mount namespace of our own */
#define ROOT PLACE "/root"
#define TARGET PLACE "/target"
#define RECORD PLACE "/record"

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- the ways ---- */

static struct idm_plan *plan;

static const struct kind {
	const char *name, *type, *source;
	const char *words[3];
	size_t n_words;
} kinds[] = {
	{ "tmpfs", "tmpfs", "tmpfs", { "nosuid", "nodev", "mode=0755" }, 3 },
	{ "bind", "bind", PLACE "/source", { "bind" }, 1 },
	{ "bind,ro", "bind", PLACE "/source", { "bind", "ro" }, 2 },
}, *kind;

static void apply(unsigned int flags, const char *record)
{
	struct idm_apply o = IDM_APPLY_INIT;
	struct idm_error err;

	o.flags = flags;
	o.record = record;
	if (idm_plan_apply(plan, AT_FDCWD, TARGET, &o, &err) < 0) {
		fprintf(stderr, "%s\n%s\n", err.message, err.hint);
		exit(1);
	}
}

static void detached(void)
{
	apply(IDM_APPLY_DETACHED, NULL);
}

static void recorded(void)
{
	apply(IDM_APPLY_DETACHED, RECORD);
}

static void in_namespace(void)
{
	apply(IDM_APPLY_IN_NAMESPACE, NULL);
}

static int mount_one(const char *target)
{
	if (kind == &kinds[0])
		return mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755");
	if (mount(kind->source, target, NULL, MS_BIND, NULL) < 0)
		return -1;
	return kind == &kinds[1] ? 0 : mount(NULL, target, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
}

static void one_by_one(void)
{
	char target[64];

	if (mount(ROOT, TARGET, NULL, MS_BIND, NULL) < 0)
		die("bind");
	for (int i = 1; i < MOUNTS; i++) {
		snprintf(target, sizeof(target), TARGET "/%d", i);
		if (mount_one(target) < 0)
			die(target);
	}
}

/* ---- the calls that a detached plan cannot do without, nothing checked ---- */

static int bare_tree(void)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	int fs, tree;

	if (kind != &kinds[0]) {
		attr.attr_set = kind == &kinds[2] ? MOUNT_ATTR_RDONLY : 0;
		return (int)syscall(467 /* open_tree_attr */, AT_FDCWD, kind->source,
				    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, &attr, sizeof(attr));
	}
	fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	fsconfig(fs, FSCONFIG_SET_STRING, "source", "tmpfs", 0);
	fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0755", 0);
	fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	tree = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	close(fs);
	return tree;
}

static void attach(int tree, int to)
{
	if (move_mount(tree, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		die("move_mount");
	close(tree);
	close(to);
}

static void bare(void)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int root = open_tree(AT_FDCWD, ROOT, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC), trees[MOUNTS];
	char target[16];

	for (int i = 1; i < MOUNTS; i++)
		trees[i] = bare_tree();
	for (int i = 1; i < MOUNTS; i++) {
		snprintf(target, sizeof(target), "%d", i);
		attach(trees[i], (int)syscall(SYS_openat2, root, target, &how, sizeof(how)));
	}
	attach(root, open(TARGET, O_PATH | O_CLOEXEC));
}

static const struct way {
	const char *name;
	void (*make)(void);
} ways[] = {
	{ "mount(2)", one_by_one },  { "detached", detached },		 { "bare calls", bare },
	{ "with record", recorded }, { "in a namespace", in_namespace },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* ---- timing ---- */

static double one_round(const struct way *way)
{
	double start = now(), end;

	way->make();
	end = now();
	if (umount2(TARGET, MNT_DETACH) < 0)
		die("umount");
	unlink(RECORD);
	return end - start;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void prepare(void)
{
	char target[64];

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("bench", PLACE, "tmpfs", 0, NULL) < 0)
		die("a mount namespace of our own");
	if (mkdir(ROOT, 0755) < 0 || mkdir(TARGET, 0755) < 0 || mkdir(PLACE "/source", 0755) < 0)
		die("prepare");
	for (int i = 1; i < MOUNTS; i++) {
		snprintf(target, sizeof(target), ROOT "/%d", i);
		if (mkdir(target, 0755) < 0)
			die(target);
	}
}

static void make_plan(void)
{
	struct idm_plan_mount m = IDM_PLAN_MOUNT_INIT;
	char target[64];

	if (idm_plan_new(&plan) < 0)
		die("plan");
	m.type = "bind";
	m.source = ROOT;
	if (idm_plan_add(plan, &m, NULL) < 0)
		die("add");
	m.type = kind->type;
	m.source = kind->source;
	m.target = target;
	m.options = kind->words;
	m.n_options = kind->n_words;
	for (int i = 1; i < MOUNTS; i++) {
		snprintf(target, sizeof(target), "/%d", i);
		if (idm_plan_add(plan, &m, NULL) < 0)
			die("add");
	}
}

static void measure(double median[WAYS])
{
	static double us[WAYS][ROUNDS];

	for (int round = -2; round < ROUNDS; round++) /* two to warm up */
		for (size_t w = 0; w < WAYS; w++)
			us[w][round < 0 ? 0 : round] = one_round(&ways[w]);
	for (size_t w = 0; w < WAYS; w++) {
		qsort(us[w], ROUNDS, sizeof(double), ascending);
		median[w] = us[w][ROUNDS / 2];
	}
}

int main(void)
{
	prepare();
	printf("%-10s", "30 of");
	for (size_t w = 0; w < WAYS; w++)
		printf("%16s", ways[w].name);
	printf("%10s%10s   (microseconds, medians of %d rounds)\n", "/mount", "/bare", ROUNDS);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		double us[WAYS];

		kind = &kinds[k];
		make_plan();
		measure(us);
		idm_plan_free(plan);
		printf("%-10s", kind->name);
		for (size_t w = 0; w < WAYS; w++)
			printf("%16.0f", us[w]);
		printf("%10.2f%10.2f\n", us[1] / us[0], us[1] / us[2]);
	}
	return 0;
}
