// SPDX-License-Identifier: MIT
/* Runs the command of a cure on the very file that "idmount explain" has judged. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/common/command.h"
#include "cli/common/report.h"
#include "cli/explain/cure-mount.h"
#include "cli/explain/process-file.h"
#include "cli/explain/process-path.h"
#include "cli/explain/subject.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

enum { OPTION_PID = LONG_ONLY, OPTION_FILE, OPTION_CLEAR };

static const struct option_row options[] = {
	{ OPTION_PID, "pid", "PID", "the process whose path it is; without it, this one" },
	{ OPTION_FILE, "file", "MAJOR:MINOR:INODE[:MOUNT]",
	  "the device, the inode number and the mount of the file" },
	{ OPTION_CLEAR, "clear", "ro|nosuid|nodev|noexec|nosymfollow|i|a",
	  "remove this flag of the mount at PATH, or of the file, instead of running COMMAND" },
	{ 0 },
};

static const char details[] =
	"Runs COMMAND with a last argument that names the file PATH by a descriptor. \"idmount explain\"\n"
	"prints this command where another user can replace the file. No symbolic link is followed, and\n"
	"another file than that of --file is refused. Exit status: that of COMMAND. With --clear and a flag of\n"
	"mounts, it changes a mount in the mount namespace of the process.\n";

struct cure_request {
	pid_t pid;
	const char *path;
	struct file_id id;
	bool has_id;
	uint32_t mount_flag; /* IDM_ATTR_*, to be cleared; 0: none */
	int file_flag;	     /* FS_*_FL, likewise */
	char **command;	     /* with its arguments */
	size_t n;
};

static bool clears_flag(const struct cure_request *q)
{
	return q->mount_flag || q->file_flag;
}

/* Returns the descriptor, or -1 after a report. */
static int open_cured_file(const struct cure_request *q)
{
	int fd = open_process_path(q->pid, q->path), r = fd;
	struct file_id id;

	if (r >= 0)
		r = find_file_id(fd, &id);
	if (r == -ELOOP)
		report_failure("%s: look up path: expected no symbolic link on the way; run idmount "
			       "explain again",
			       q->path);
	else if (r < 0)
		report_failure("%s: look up path: %s", q->path, strerror(-r));
	else if (is_same_file_id(&id, &q->id))
		return fd;
	else
		report_failure("%s: expected the file of --file, got another one; run idmount explain "
			       "again",
			       q->path);
	idm_close_fd(&fd);
	return -1;
}

/* ---- a command ---- */

static void name_operand(int fd, char operand[40])
{
	struct statx st;
	bool is_directory = idm_sys_statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) == 0 &&
			    S_ISDIR(st.stx_mode);

	snprintf(operand, 40, "/proc/self/fd/%d%s", fd, is_directory ? "/." : "");
}

static int execute_cure(const struct cure_request *q, int fd)
{
	char **argv = reallocarray(NULL, q->n + 2, sizeof(*argv)), operand[40];

	if (!argv)
		return out_of_memory();
	name_operand(fd, operand);
	memcpy(argv, q->command, q->n * sizeof(*argv));
	argv[q->n] = operand;
	argv[q->n + 1] = NULL;
	fcntl(fd, F_SETFD, 0);
	execvp(*argv, argv);
	report_failure("%s: execute: %s", *argv, strerror(errno));
	free(argv);
	return FAILED;
}

/* ---- a flag ---- */

/* The kernel changes a mount only in its own namespace. Nothing is looked up there. */
static int clear_mount_flag(const struct cure_request *q, int fd)
{
	AUTO_CLOSE int ns = q->pid ? open_process_file(q->pid, "ns/mnt", O_RDONLY) : -1;
	struct mount_attr attr = { .attr_clr = q->mount_flag };
	int r = 0;

	if (q->pid)
		r = ns < 0 ? -errno : idm_sys_setns(ns, CLONE_NEWNS);
	if (r < 0)
		return report_failure("process %d: enter the mount namespace: %s", (int)q->pid,
				      strerror(-r));
	r = idm_sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr);
	return r < 0 ? report_failure("%s: change the mount: %s", q->path, strerror(-r)) : DONE;
}

/* Opens no device: that could have effects. */
static int reopen_cured_file(int fd)
{
	struct statx st;
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	errno = EINVAL;
	if (idm_sys_statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0 ||
	    (!S_ISREG(st.stx_mode) && !S_ISDIR(st.stx_mode)))
		return -1;
	return open(link, O_RDONLY | O_CLOEXEC);
}

/* Not by chattr(1): that accepts no descriptor, and another mount can cover the name of the file. */
static int clear_file_flag(const struct cure_request *q, int fd)
{
	AUTO_CLOSE int file = reopen_cured_file(fd);
	int flags = 0;

	if (file >= 0 && ioctl(file, FS_IOC_GETFLAGS, &flags) == 0) {
		flags &= ~q->file_flag;
		if (ioctl(file, FS_IOC_SETFLAGS, &flags) == 0)
			return DONE;
	}
	return report_failure("%s: change flags: %s", q->path, strerror(errno));
}

static int cure_file(const struct cure_request *q)
{
	AUTO_CLOSE int fd = open_cured_file(q);

	if (fd < 0)
		return FAILED;
	if (q->mount_flag)
		return clear_mount_flag(q, fd);
	return q->file_flag ? clear_file_flag(q, fd) : execute_cure(q, fd);
}

/* ---- the command line ---- */

static void read_cleared_flag(struct cure_request *q, const char *word)
{
	q->mount_flag = find_mount_flag(word);
	q->file_flag = strcmp(word, "i") == 0	? FS_IMMUTABLE_FL
		       : strcmp(word, "a") == 0 ? FS_APPEND_FL
						: 0;
}

static int read_cure_option(struct cure_request *q, int letter, const char *value)
{
	if (letter == OPTION_PID)
		return parse_process_number("pid", value, &q->pid);
	if (letter == OPTION_CLEAR) {
		read_cleared_flag(q, value);
		return DONE;
	}
	q->has_id = parse_file_id(value, &q->id);
	return q->has_id ? DONE : report_usage("--file: %s: expected MAJOR:MINOR:INODE[:MOUNT]", value);
}

static int run_cure(int argc, char **argv)
{
	struct arguments a = { .command = &command_cure, .argc = argc, .argv = argv };
	struct cure_request q = { 0 };
	char **words;
	int letter;
	size_t n;

	while ((letter = next_command_option(&a)) > 0)
		if (read_cure_option(&q, letter, a.value) != DONE)
			return USAGE;
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	n = operands(&a, &words);
	if (clears_flag(&q) ? n != 1 : n < 2)
		return report_operands(&a, clears_flag(&q) ? "PATH" : "PATH and COMMAND");
	if (!q.has_id)
		return report_usage("--file MAJOR:MINOR:INODE[:MOUNT] is missing");
	q.path = words[0];
	q.command = words + 1;
	q.n = n - 1;
	return cure_file(&q);
}

const struct command command_cure = {
	.name = "cure",
	.operands = "PATH [COMMAND [ARGUMENT]...]",
	.summary = "run a command on the file that explain has judged",
	.details = details,
	.options = options,
	.options_first = true,
	.run = run_cure,
};
