// SPDX-License-Identifier: MIT
/*
 * What an overlay of ID-mapped layers costs from paths to gone again (make, attach, unmount): ours, and
 * the way that others go: a mapped copy of the layers' common parent is attached at a temporary
 * directory, the layers are named by paths below it, and in the end the copy is unmounted and the
 * directory removed. They get their user namespace from us as well; their own costs more, see userns.c.
 *
 * All are timed in turn, round by round, in a mount namespace of their own. Needs root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "idmount.h"

#define ROUNDS 101
#define MOST 500
#define MAP "0:100000:65536"
#define MAP_KERNEL "0 100000 65536\n"

/* Not from <sys/mount.h>, which does not go together with <linux/mount.h>. */
int mount(const char *source, const char *target, const char *type, unsigned long flags,
	  const void *options);
int umount2(const char *target, int flags);
#define BIND_PRIVATE ((1UL << 14) | (1UL << 18)) /* MS_REC | MS_PRIVATE */
#define DETACH 2				 /* MNT_DETACH */

/* As deep as those of container engines are. */
#define ENGINE "/mnt/var/lib/engine"
#define STORE ENGINE "/io.engine.snapshotter.v1.overlayfs/snapshots"
#define TEMPORARY ENGINE "/tmpmounts/mount-XXXXXX"
#define TARGET "/mnt/run/engine/box/rootfs"

static struct idm_map *map;
static struct idm_path layers[MOST];
static size_t n_layers;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static long check(long r, const char *what)
{
	if (r < 0)
		die(what);
	return r;
}

static int check_idm(int r, const struct idm_error *err)
{
	if (r >= 0)
		return r;
	fprintf(stderr, "%s\n%s\n", err->message, err->hint);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* ---- ours ---- */

static void ours_by(unsigned int flags)
{
	struct idm_overlay o = IDM_OVERLAY_INIT;
	struct idm_error err;
	int tree;

	o.flags = flags;
	o.lower = layers;
	o.n_lower = n_layers;
	o.map = map;
	tree = check_idm(idm_overlay_open(&o, &err), &err);
	check_idm(idm_tree_attach(tree, AT_FDCWD, TARGET, 0, IDM_PROPAGATION_DEFAULT, &err), &err);
	close(tree);
	check_idm(idm_umount(TARGET, 0, &err), &err);
}

static void ours(void)
{
	ours_by(0);
}

static void in_namespace(void)
{
	ours_by(IDM_OVERLAY_IN_NAMESPACE);
}

/* ---- theirs ---- */

static int our_userns(void)
{
	struct idm_error err;

	return check_idm(idm_userns_open(map, 0, &err), &err);
}

static void write_map(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = (int)check(open(path, O_WRONLY | O_CLOEXEC), path);
	check(write(fd, MAP_KERNEL, strlen(MAP_KERNEL)), path);
	close(fd);
}

static int killed_child_userns(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t pid = (pid_t)check(syscall(SYS_clone3, &args, sizeof(args)), "clone3");
	char path[64];
	int userns;

	while (pid == 0)
		pause();
	write_map(pid, "uid_map");
	write_map(pid, "gid_map");
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	userns = (int)check(open(path, O_RDONLY | O_CLOEXEC), path);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return userns;
}

static void attach_parent(char *directory, int userns)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP };
	int clone = (int)check(syscall(SYS_open_tree, AT_FDCWD, STORE, OPEN_TREE_CLONE | O_CLOEXEC),
			       "open_tree");

	attr.userns_fd = (uint64_t)userns;
	check(syscall(SYS_mount_setattr, clone, "", AT_EMPTY_PATH, &attr, sizeof(attr)),
	      "mount_setattr");
	if (!mkdtemp(directory))
		die("mkdtemp");
	check(syscall(SYS_move_mount, clone, "", AT_FDCWD, directory, MOVE_MOUNT_F_EMPTY_PATH),
	      "move_mount");
	close(clone);
	close(userns);
}

static void detach_parent(const char *directory)
{
	check(umount2(directory, DETACH), "umount");
	check(rmdir(directory), "rmdir");
}

/* Where layer i is below the temporary directory. */
static const char *below(size_t i)
{
	return layers[i].path + strlen(STORE);
}

static void fsconfig_strings(void)
{
	char directory[] = TEMPORARY, path[256];
	int fs, tree;

	attach_parent(directory, our_userns());
	fs = (int)check(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC), "fsopen");
	for (size_t i = 0; i < n_layers; i++) {
		snprintf(path, sizeof(path), "%s%s", directory, below(i));
		check(syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "lowerdir+", path, 0), "lowerdir+");
	}
	check(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "create");
	tree = (int)check(syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0), "fsmount");
	check(syscall(SYS_move_mount, tree, "", AT_FDCWD, TARGET, MOVE_MOUNT_F_EMPTY_PATH), "attach");
	close(tree);
	close(fs);
	detach_parent(directory);
	check(umount2(TARGET, 0), "umount overlay");
}

static void one_string_with(int userns)
{
	char directory[] = TEMPORARY, options[4096] = "lowerdir=";
	size_t length = strlen(options);

	attach_parent(directory, userns);
	for (size_t i = 0; i < n_layers; i++)
		length += (size_t)snprintf(options + length, sizeof(options) - length, "%s%s%s",
					   i ? ":" : "", directory, below(i));
	check(mount("overlay", TARGET, "overlay", 0, options), "mount");
	detach_parent(directory);
	check(umount2(TARGET, 0), "umount overlay");
}

static void one_string(void)
{
	one_string_with(our_userns());
}

static void one_string_and_child(void)
{
	one_string_with(killed_child_userns());
}

static bool fits(void)
{
	size_t length = strlen("lowerdir=");

	for (size_t i = 0; i < n_layers; i++)
		length += strlen(TEMPORARY ":") + strlen(below(i));
	return length < 4096;
}

/* ---- timing ---- */

static const struct way {
	const char *name;
	void (*go)(void);
	bool one_string; /* which has to fit */
} ways[] = {
	{ "idm_overlay_open", ours, false },
	{ "in a namespace", in_namespace, false },
	{ "fsconfig", fsconfig_strings, false },
	{ "mount(2)", one_string, true },
	{ "mount(2), child", one_string_and_child, true },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double one_round(const struct way *way)
{
	double start = now();

	if (way->one_string && !fits())
		return 0;
	way->go();
	return now() - start;
}

static void measure(double median[WAYS])
{
	static double us[WAYS][ROUNDS];

	for (int round = -3; round < ROUNDS; round++) /* three to warm up */
		for (size_t w = 0; w < WAYS; w++)
			us[w][round < 0 ? 0 : round] = one_round(&ways[w]);
	for (size_t w = 0; w < WAYS; w++) {
		qsort(us[w], ROUNDS, sizeof(double), ascending);
		median[w] = us[w][ROUNDS / 2];
	}
}

/* With all that lead to it. */
static void make_directory(const char *path)
{
	char part[256];

	for (const char *p = strchr(path + 1, '/');; p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", p ? (int)(p - path) : (int)strlen(path), path);
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			die(part);
		if (!p)
			return;
	}
}

static void make_layers(void)
{
	for (size_t i = 0; i < MOST; i++) {
		char path[128];

		snprintf(path, sizeof(path), STORE "/%zu/fs", i);
		make_directory(path);
		layers[i] = (struct idm_path){ AT_FDCWD, strdup(path) };
	}
}

/* The time, and for the others how much of it we take. */
static void print_row(const double us[WAYS])
{
	char cell[32];

	printf("%-8zu", n_layers);
	for (size_t w = 0; w < WAYS; w++) {
		snprintf(cell, sizeof(cell), "%.0f", us[w]);
		if (us[w] <= 0)
			snprintf(cell, sizeof(cell), "does not fit");
		else if (w > 1)
			snprintf(cell, sizeof(cell), "%.0f (%.2f)", us[w], us[0] / us[w]);
		printf("%18s", cell);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	static const char *const defaults[] = { "5", "50", "400" };
	int n = argc > 1 ? argc - 1 : 3;

	check(unshare(CLONE_NEWNS), "unshare");
	check(mount(NULL, "/", NULL, BIND_PRIVATE, NULL), "private");
	check(mount("bench", "/mnt", "tmpfs", 0, NULL), "tmpfs");
	make_directory(ENGINE "/tmpmounts");
	make_directory(TARGET);
	make_layers();
	if (idm_map_new(&map) < 0 || idm_map_parse(map, MAP, 0, NULL) < 0)
		die("map");
	printf("%-8s", "layers");
	for (size_t w = 0; w < WAYS; w++)
		printf("%18s", ways[w].name);
	printf("   (microseconds, medians of %d rounds; ours divided by theirs)\n", ROUNDS);
	for (int i = 0; i < n; i++) {
		const char *text = argc > 1 ? argv[i + 1] : defaults[i];
		double us[WAYS];
		char *end;

		n_layers = strtoul(text, &end, 10);
		if (*end || n_layers < 2 || n_layers > MOST) {
			fprintf(stderr, "usage: %s [LAYERS]...   (2 to %d)\n", argv[0], MOST);
			return 2;
		}
		measure(us);
		print_row(us);
	}
	idm_map_free(map);
	return 0;
}
