// SPDX-License-Identifier: MIT
#include "attack.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

static const struct attack {
	const char *name;
	void (*run)(char **args);
} attacks[] = {
	{ "dotdot", attack_dotdot },
	{ "chroot", attack_chroot },
	{ "neighbours", attack_neighbours },
	{ "processes", attack_processes },
	{ "trace", attack_trace },
	{ "memory", attack_memory },
	{ "steal-fds", attack_steal_fds },
	{ "kill", attack_kill },
	{ "type", attack_type },
	{ "take-terminal", attack_take_terminal },
	{ "keys", attack_keys },
	{ "remount", attack_remount },
	{ "uncover", attack_uncover },
	{ "superblock", attack_superblock },
	{ "mount-on", attack_mount_on },
	{ "device", attack_device },
	{ "make-devices", attack_make_devices },
	{ "descriptors", attack_descriptors },
	{ "overwrite", attack_overwrite },
	{ "programs", attack_programs },
	{ "userns", attack_userns },
	{ "cgroup", attack_cgroup },
	{ "setuid", attack_setuid },
	{ "masked", attack_masked },
	{ "whoami", attack_whoami },
	{ "as", attack_as },
	{ "flood", attack_flood },
	{ "wait", attack_wait },
};

void print_file(int dir, const char *path, const char *how)
{
	char text[4096];
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n > 0) {
		text[n] = '\0';
		printf("got %s %s: %s\n", how, path, text);
	}
	if (fd >= 0)
		close(fd);
}

void look_from(int dir, const char *how)
{
	int fd;

	print_file(dir, HOST "/secret", how);
	fd = openat(dir, HOST "/planted", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return;
	printf("wrote %s\n", how);
	close(fd);
}

void look_in(const char *directory)
{
	int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	look_from(fd, directory);
	close(fd);
}

void each_process(void (*each)(pid_t pid))
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (isdigit(entry->d_name[0]) && atoi(entry->d_name) != getpid())
			each(atoi(entry->d_name));
	if (proc)
		closedir(proc);
}

void wait_for_judge(void)
{
	printf("waiting\n");
	for (;;)
		pause();
}

void attack_wait(char **args)
{
	(void)args;
	wait_for_judge();
}

/* Prints more than a terminal can store, to a caller that does not read it. */
void attack_flood(char **args)
{
	(void)args;
	printf("waiting\n");
	for (;;)
		printf("0123456789 0123456789 0123456789 0123456789 0123456789 0123456789\n");
}

static void end(int signal)
{
	_exit(128 + signal);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, end); /* process 1 gets no signal without a handler */
	printf("began\n");
	for (size_t i = 0; argc > 1 && i < sizeof(attacks) / sizeof(*attacks); i++)
		if (strcmp(attacks[i].name, argv[1]) == 0) {
			attacks[i].run(argv + 2);
			printf("ended\n");
			return 0;
		}
	fprintf(stderr, "attack: expected the name of an attack\n");
	return 2;
}
