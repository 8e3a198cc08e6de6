// SPDX-License-Identifier: MIT
/*
 * The least that a command can be which makes a mapped mount: it reads its options and a map of one
 * entry, and says something if it is told wrong, all by libc; then it makes the bare system calls. It is
 * measured for the memory that it needs.
 *
 *   bare-mount -m DISK:SEEN:COUNT SOURCE TARGET
 *   bare-mount -u TARGET
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRIVATE (1UL << 18)

/* Not from <sys/mount.h>, which does not go together with <linux/mount.h>. */
int umount2(const char *target, int flags);

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "bare-mount: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int check(long r, const char *what)
{
	if (r < 0)
		die(what);
	return (int)r;
}

static char *kernel_map(const char *text)
{
	unsigned long entry[3];
	char *end, *line = malloc(64);

	if (!line)
		die("malloc");
	for (int i = 0; i < 3; i++) {
		entry[i] = strtoul(text, &end, 10);
		if (end == text || *end != (i < 2 ? ':' : '\0')) {
			fprintf(stderr, "bare-mount: %s is not a map\n", text);
			exit(2);
		}
		text = end + 1;
	}
	snprintf(line, 64, "%lu %lu %lu\n", entry[0], entry[1], entry[2]);
	return line;
}

static void write_map(pid_t pid, const char *name, const char *map)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = check(open(path, O_WRONLY | O_CLOEXEC), path);
	check(write(fd, map, strlen(map)), path);
	close(fd);
}

/* The child is gone at once; what it leaves is there until it is waited for. */
static int make_userns(const char *map)
{
	struct clone_args args = { .flags = CLONE_NEWUSER };
	pid_t pid = check(syscall(SYS_clone3, &args, sizeof(args)), "clone3");
	char path[64];
	int fd;

	if (pid == 0)
		_exit(0);
	write_map(pid, "uid_map", map);
	write_map(pid, "gid_map", map);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = check(open(path, O_RDONLY | O_CLOEXEC), path);
	check(waitpid(pid, NULL, __WALL), "waitpid");
	return fd;
}

static void make_mount(const char *map, const char *source, const char *target)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .propagation = PRIVATE };
	int tree;

	attr.userns_fd = (uint64_t)make_userns(map);
	tree = check(syscall(467 /* open_tree_attr, Linux 6.15 */, AT_FDCWD, source,
			     OPEN_TREE_CLONE | O_CLOEXEC, &attr, sizeof(attr)),
		     source);
	check(syscall(SYS_move_mount, tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH), target);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "map", required_argument, NULL, 'm' },
		{ "unmount", required_argument, NULL, 'u' },
		{ 0 },
	};
	char *map = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "m:u:", options, NULL)) != -1)
		switch (c) {
		case 'm':
			map = kernel_map(optarg);
			break;
		case 'u':
			check(umount2(optarg, 0), optarg);
			return 0;
		default:
			return 2;
		}
	if (!map || argc - optind != 2) {
		fprintf(stderr, "usage: see the head of bench/lib/bare-mount.c\n");
		return 2;
	}
	make_mount(map, argv[optind], argv[optind + 1]);
	free(map);
	return fflush(stdout) == 0 ? 0 : 1;
}
