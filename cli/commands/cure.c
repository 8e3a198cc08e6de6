// SPDX-License-Identifier: MIT
/* Runs the command of a cure on the very file that "idmount explain" has judged. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
	{ OPTION_FILE, "file", "MAJOR:MINOR:INODE", "the device and the inode number of the file" },
	{ OPTION_CLEAR, "clear", "ro|nosuid|nodev|noexec|nosymfollow",
	  "remove this flag of the mount at PATH, instead of running COMMAND" },
	{ 0 },
};

static const char details[] =
	"Runs COMMAND with a last argument that names the file PATH by a descriptor. \"idmount explain\"\n"
	"prints this command where another user can replace the file. No symbolic link is followed, and\n"
	"another file than that of --file is refused. Exit status: that of COMMAND. With --clear, it changes\n"
	"a mount in the mount namespace of the process.\n";

struct cure_request {
	pid_t pid;
	const char *path;
	struct file_id id;
	bool has_id;
	uint32_t cleared; /* IDM_ATTR_*; 0: a command is run */
	char **command;	  /* with its arguments */
	size_t n;
};

struct cured_file {
	int fd, directory_fd;
	const char *name;	/* in the directory */
	char operand[PATH_MAX]; /* of the command */
};

static int open_cured_file(const struct cure_request *q, struct cured_file *file)
{
	char directory[PATH_MAX];
	struct file_id id;
	int r;

	file->name = split_path(q->path, directory, sizeof(directory));
	if (file->name)
		r = file->directory_fd = open_process_path(q->pid, directory);
	else
		r = file->fd = open_process_path(q->pid, q->path);
	if (r >= 0 && file->name)
		r = file->fd = idm_sys_openat(file->directory_fd, file->name, O_PATH | O_NOFOLLOW, 0);
	if (r >= 0)
		r = find_file_id(file->fd, &id);
	if (r < 0)
		return report_failure("%s: look up path: %s", q->path, strerror(-r));
	if (!is_same_file_id(&id, &q->id))
		return report_failure("%s: expected the file of --file, got another one; run idmount "
				      "explain again",
				      q->path);
	return DONE;
}

/*
 * chattr(1) accepts no link, not even to a descriptor. The kernel lets no process rename or remove an
 * immutable or append-only file, so that its name stays.
 */
static void name_operand(struct cured_file *file)
{
	const uint64_t fixed = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;
	struct statx st;
	int r = idm_sys_statx(file->fd, "", AT_EMPTY_PATH, STATX_TYPE, &st);

	if (r == 0 && S_ISDIR(st.stx_mode))
		snprintf(file->operand, sizeof(file->operand), "/proc/self/fd/%d/.", file->fd);
	else if (r == 0 && file->name && st.stx_attributes & fixed)
		snprintf(file->operand, sizeof(file->operand), "/proc/self/fd/%d/%s", file->directory_fd,
			 file->name);
	else
		snprintf(file->operand, sizeof(file->operand), "/proc/self/fd/%d", file->fd);
}

static int execute_cure(const struct cure_request *q, struct cured_file *file)
{
	char **argv = reallocarray(NULL, q->n + 2, sizeof(*argv));

	if (!argv)
		return out_of_memory();
	name_operand(file);
	memcpy(argv, q->command, q->n * sizeof(*argv));
	argv[q->n] = file->operand;
	argv[q->n + 1] = NULL;
	fcntl(file->fd, F_SETFD, 0);
	if (file->directory_fd >= 0)
		fcntl(file->directory_fd, F_SETFD, 0);
	execvp(*argv, argv);
	report_failure("%s: execute: %s", *argv, strerror(errno));
	free(argv);
	return FAILED;
}

/* The kernel changes a mount only in its own namespace. Nothing is looked up there. */
static int clear_mount_flag(const struct cure_request *q, const struct cured_file *file)
{
	AUTO_CLOSE int ns = q->pid ? open_process_file(q->pid, "ns/mnt", O_RDONLY) : -1;
	struct mount_attr attr = { .attr_clr = q->cleared };
	int r = 0;

	if (q->pid)
		r = ns < 0 ? -errno : idm_sys_setns(ns, CLONE_NEWNS);
	if (r < 0)
		return report_failure("process %d: enter the mount namespace: %s", (int)q->pid,
				      strerror(-r));
	r = idm_sys_mount_setattr(file->fd, "", AT_EMPTY_PATH, &attr);
	return r < 0 ? report_failure("%s: change the mount: %s", q->path, strerror(-r)) : DONE;
}

static int cure_file(const struct cure_request *q)
{
	struct cured_file file = { .fd = -1, .directory_fd = -1 };
	int status = open_cured_file(q, &file);

	if (status == DONE)
		status = q->cleared ? clear_mount_flag(q, &file) : execute_cure(q, &file);
	idm_close_fd(&file.fd);
	idm_close_fd(&file.directory_fd);
	return status;
}

static int read_cure_option(struct cure_request *q, int letter, const char *value)
{
	if (letter == OPTION_PID)
		return parse_process_number("pid", value, &q->pid);
	if (letter == OPTION_CLEAR) {
		q->cleared = find_mount_flag(value);
		return DONE;
	}
	q->has_id = parse_file_id(value, &q->id);
	return q->has_id ? DONE : report_usage("--file: %s: expected MAJOR:MINOR:INODE", value);
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
	if (q.cleared ? n != 1 : n < 2)
		return report_operands(&a, q.cleared ? "PATH" : "PATH and COMMAND");
	if (!q.has_id)
		return report_usage("--file MAJOR:MINOR:INODE is missing");
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
